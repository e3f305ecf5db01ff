//! The patterns of `case`.

use super::parser::{Frame, Level, Parser, St, Step, prop, took_if};
use super::token::Tok;

/// The patterns stand in parentheses, in a list, or bare.
const PAREN: u16 = 1;
const LIST: u16 = 1 << 1;
/// There was a comma; an element; the last was starred.
const COMMA: u16 = 1 << 2;
const STARRED: u16 = 1 << 3;
/// Only keywords may follow.
const KEYWORD: u16 = 1 << 4;
const STAR_SEEN: u16 = 1 << 5;

impl Parser {
    /// The patterns after `case`.
    pub(super) fn push_patterns(&mut self) {
        self.push(St::PatSeqNext, Level::Named, 0);
    }

    fn goto_pattern(&mut self, st: St) -> Step {
        self.top_mut().st = st;
        self.push(St::Pattern, Level::Named, 0);
        Step::Took
    }

    fn again(&mut self, st: St) -> Step {
        self.top_mut().st = st;
        Step::Again
    }

    pub(super) fn pattern(&mut self, tok: Tok, frame: Frame, ret: &mut u16) -> Step {
        use St::*;
        match (frame.st, tok) {
            (Pattern, Tok::Name | Tok::NewName) => self.goto(PatternName),
            (Pattern, Tok::Number) => self.goto(PatternNumber),
            (Pattern, Tok::Minus) => self.goto(PatternNegative),
            (Pattern, Tok::Str | Tok::Bytes) => {
                self.top_mut().flags = if tok == Tok::Str {
                    prop::STR
                } else {
                    prop::BYTES
                };
                self.goto(PatternText)
            }
            (Pattern, Tok::None | Tok::True | Tok::False) => self.goto(PatternAfter),
            (Pattern, Tok::LPar | Tok::LSqb) => {
                self.goto(PatternAfter);
                self.push(
                    PatSeqNext,
                    Level::Named,
                    if tok == Tok::LPar { PAREN } else { LIST },
                );
                Step::Took
            }
            (Pattern, Tok::LBrace) => {
                self.goto(PatternAfter);
                self.push(PatMapNext, Level::Named, 0);
                Step::Took
            }
            (PatternName, Tok::Dot) => self.goto(PatternAttribute),
            (PatternAttribute, Tok::Name) => {
                self.top_mut().flags |= COMMA;
                self.goto(PatternName)
            }
            (PatternName, Tok::LPar) => {
                self.goto(PatternAfter);
                self.push(PatArgNext, Level::Named, 0);
                Step::Took
            }
            (PatternName, Tok::Eq) if frame.flags & COMMA == 0 => {
                // a keyword, if the arguments of a class are around
                *ret = prop::NAME;
                self.pop();
                Step::Again
            }
            (PatternNegative, Tok::Number) => self.goto(PatternNumber),
            (PatternNumber, Tok::Plus | Tok::Minus) => self.goto(PatternImaginary),
            (PatternImaginary, Tok::Number) => self.goto(PatternAfter),
            (PatternText, Tok::Str) => took_if(frame.flags & prop::STR != 0),
            (PatternText, Tok::Bytes) => took_if(frame.flags & prop::BYTES != 0),
            (PatternName | PatternNumber | PatternText, _) => self.again(PatternAfter),
            (PatternAfter, Tok::Bar) => {
                self.top_mut().flags = COMMA;
                self.goto(Pattern)
            }
            (PatternAfter, Tok::As) => self.goto(PatternAs),
            (PatternAs, _) if tok.is_name() => self.goto(PatternDone),
            (PatternAfter | PatternDone, _) => {
                *ret = 0;
                self.pop();
                Step::Again
            }
            (PatSeqNext | PatSeqElement | PatStar, _) => self.pattern_sequence(tok, frame),
            (PatArgNext | PatArgElement | PatArgKeyword | PatArgValue, _) => {
                self.pattern_arguments(tok, frame, *ret)
            }
            _ => self.pattern_mapping(tok, frame),
        }
    }

    fn pattern_sequence(&mut self, tok: Tok, frame: Frame) -> Step {
        let flags = frame.flags;
        let closes = match tok {
            Tok::RPar => flags & PAREN != 0,
            Tok::RSqb => flags & LIST != 0,
            Tok::Colon | Tok::If => flags & (PAREN | LIST) == 0,
            _ => false,
        };
        let bare = flags & (PAREN | LIST) == 0;
        match frame.st {
            St::PatStar => {
                self.top_mut().st = St::PatSeqElement;
                took_if(tok.is_name())
            }
            St::PatSeqElement if tok == Tok::Comma => {
                self.top_mut().flags = (flags | COMMA) & !STARRED;
                self.goto(St::PatSeqNext)
            }
            // `case *a:` and `(*a)` lack a comma
            St::PatSeqElement if closes && flags & (STARRED | COMMA | LIST) != STARRED => {
                self.end_patterns(bare)
            }
            St::PatSeqNext if closes && (!bare || flags & COMMA != 0) => self.end_patterns(bare),
            St::PatSeqNext if tok == Tok::Star && flags & STAR_SEEN == 0 => {
                self.top_mut().flags |= STARRED | STAR_SEEN;
                self.goto(St::PatStar)
            }
            St::PatSeqNext => {
                self.goto_pattern(St::PatSeqElement);
                Step::Again
            }
            _ => Step::Dead,
        }
    }

    fn end_patterns(&mut self, bare: bool) -> Step {
        self.pop();
        if bare { Step::Again } else { Step::Took }
    }

    fn pattern_arguments(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        match (frame.st, tok) {
            (St::PatArgNext | St::PatArgValue, Tok::RPar) => {
                self.pop();
                Step::Took
            }
            (St::PatArgElement, Tok::RPar) if ret & prop::NAME == 0 => {
                self.pop();
                Step::Took
            }
            (St::PatArgNext, _) if frame.flags & KEYWORD != 0 => {
                self.top_mut().st = St::PatArgKeyword;
                took_if(tok == Tok::Name)
            }
            (St::PatArgNext, _) => {
                self.goto_pattern(St::PatArgElement);
                Step::Again
            }
            (St::PatArgElement, Tok::Eq) if ret & prop::NAME != 0 => {
                self.top_mut().flags = KEYWORD;
                self.goto_pattern(St::PatArgValue)
            }
            (St::PatArgKeyword, Tok::Eq) => self.goto_pattern(St::PatArgValue),
            (St::PatArgElement | St::PatArgValue, Tok::Comma) => self.goto(St::PatArgNext),
            _ => Step::Dead,
        }
    }

    fn pattern_mapping(&mut self, tok: Tok, frame: Frame) -> Step {
        use St::*;
        match (frame.st, tok) {
            (PatMapNext | PatMapElement | PatMapRest | PatMapClose, Tok::RBrace)
                if frame.flags & STARRED == 0 =>
            {
                self.pop();
                Step::Took
            }
            (PatMapNext, Tok::DoubleStar) => {
                self.top_mut().flags = STARRED;
                self.goto(PatMapRest)
            }
            (PatMapRest, _) if frame.flags & STARRED != 0 => {
                self.top_mut().flags = 0;
                took_if(tok.is_name())
            }
            (PatMapRest, Tok::Comma) => self.goto(PatMapClose),
            (PatMapNext, Tok::Number) => self.goto(PatMapNumber),
            (PatMapNext, Tok::Minus) => self.goto(PatMapNegative),
            (PatMapNext, Tok::Name) => self.goto(PatMapName),
            (PatMapNext, Tok::None | Tok::True | Tok::False) => self.goto(PatMapColon),
            (PatMapNext, Tok::Str | Tok::Bytes) => {
                self.top_mut().flags = if tok == Tok::Str {
                    prop::STR
                } else {
                    prop::BYTES
                };
                self.goto(PatMapText)
            }
            (PatMapText, Tok::Str) => took_if(frame.flags & prop::STR != 0),
            (PatMapText, Tok::Bytes) => took_if(frame.flags & prop::BYTES != 0),
            (PatMapName, Tok::Dot) => self.goto(PatMapAttribute),
            (PatMapAttribute, Tok::Name) => self.goto(PatMapDot),
            (PatMapDot, Tok::Dot) => self.goto(PatMapAttribute),
            (PatMapNegative, Tok::Number) => self.goto(PatMapNumber),
            (PatMapNumber, Tok::Plus | Tok::Minus) => self.goto(PatMapImaginary),
            (PatMapImaginary, Tok::Number) => self.goto(PatMapColon),
            (PatMapText | PatMapNumber | PatMapDot | PatMapColon, Tok::Colon) => {
                self.top_mut().flags = 0;
                self.goto_pattern(PatMapElement)
            }
            (PatMapElement, Tok::Comma) => self.goto(PatMapNext),
            _ => Step::Dead,
        }
    }
}
