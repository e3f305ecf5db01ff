//! The parameters of functions and lambdas.

use super::parser::{Frame, Level, Parser, St, Step, took_if};
use super::token::Tok;

/// A lambda's: no annotations, ends at the colon.
const LAMBDA: u16 = 1;
/// One parameter was given; one with a default; `/`; a star.
const ANY: u16 = 1 << 1;
const DEFAULT: u16 = 1 << 2;
const SLASH: u16 = 1 << 3;
const STAR: u16 = 1 << 4;
/// A bare star was just given: a name must follow.
const BARE: u16 = 1 << 5;

impl Parser {
    pub(super) fn push_lambda(&mut self) {
        self.push(St::ParamNext, Level::Named, LAMBDA);
    }

    pub(super) fn push_parameters(&mut self) {
        self.push(St::ParamNext, Level::Named, 0);
    }

    pub(super) fn parameter(&mut self, tok: Tok, frame: Frame) -> Step {
        let flags = frame.flags;
        let lambda = flags & LAMBDA != 0;
        let annotated = tok == Tok::Colon && !lambda;
        match frame.st {
            St::ParamNext => match tok {
                Tok::Name | Tok::NewName => {
                    self.top_mut().flags = (flags | ANY) & !BARE;
                    self.goto(St::ParamName)
                }
                Tok::Slash if flags & (ANY | SLASH | STAR) == ANY => {
                    self.top_mut().flags |= SLASH;
                    self.goto(St::ParamSlash)
                }
                Tok::Star if flags & STAR == 0 => {
                    self.top_mut().flags |= STAR;
                    self.goto(St::ParamStar)
                }
                Tok::DoubleStar if flags & BARE == 0 => self.goto(St::ParamKwargs),
                _ if flags & BARE == 0 => self.end_parameters(tok, lambda),
                _ => Step::Dead,
            },
            St::ParamName if annotated => {
                self.goto_expression(St::ParamAnnotated, Level::Expression, 0)
            }
            St::ParamName | St::ParamAnnotated if tok == Tok::Eq => {
                self.top_mut().flags |= DEFAULT;
                self.goto_expression(St::ParamDefault, Level::Expression, 0)
            }
            // after one with a default, one without only behind a star
            St::ParamName | St::ParamAnnotated if flags & (DEFAULT | STAR) == DEFAULT => Step::Dead,
            St::ParamStar => match tok {
                Tok::Name | Tok::NewName => self.goto(St::ParamStarName),
                Tok::Comma => {
                    self.top_mut().flags |= BARE;
                    self.goto(St::ParamNext)
                }
                _ => Step::Dead,
            },
            St::ParamStarName if annotated => {
                // `*args: *Ts` is admitted too: the star is taken where the annotation would start
                self.goto(St::ParamStarAnnotation)
            }
            St::ParamStarAnnotation => {
                self.goto_expression(St::ParamStarAnnotated, Level::Expression, 0);
                if tok == Tok::Star {
                    self.top_mut().level = Level::BitOr;
                    return Step::Took;
                }
                Step::Again
            }
            St::ParamKwargs => {
                self.top_mut().st = St::ParamKwargsName;
                took_if(tok.is_name())
            }
            St::ParamKwargsName if annotated => {
                self.goto_expression(St::ParamKwargsAnnotated, Level::Expression, 0)
            }
            St::ParamKwargsName | St::ParamKwargsAnnotated if tok == Tok::Comma => {
                self.goto(St::ParamEnd)
            }
            _ if tok == Tok::Comma && frame.st != St::ParamEnd => self.goto(St::ParamNext),
            _ => self.end_parameters(tok, lambda),
        }
    }

    fn end_parameters(&mut self, tok: Tok, lambda: bool) -> Step {
        match tok {
            Tok::Colon if lambda => self.goto_expression(St::LambdaBody, Level::Expression, 0),
            Tok::RPar if !lambda => {
                self.pop();
                Step::Took
            }
            _ => Step::Dead,
        }
    }
}
