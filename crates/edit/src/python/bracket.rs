//! Displays, tuples, arguments, subscripts and comprehensions.

use super::parser::{Call, Frame, Level, Parser, St, Step, ctx, flag, prop, took_if};
use super::token::Tok;

/// What the elements of a display or tuple let the whole serve as.
fn gather(flags: u16, ret: u16) -> u16 {
    let mut flags = flags & (ret | !(prop::TARGET | prop::DEL)) | ret & prop::NEW;
    if flags & flag::STARRED != 0 {
        flags &= !prop::DEL;
        if flags & flag::STAR_SEEN != 0 {
            flags &= !prop::TARGET;
        }
        flags = flags & !flag::STARRED | flag::STAR_SEEN;
    }
    flags
}

/// Whether new names may stand in the next element: where the whole may still be assigned to. `starred`: it is starred.
fn new_ok(flags: u16, starred: bool) -> u16 {
    let possible = flags & prop::TARGET != 0 && !(starred && flags & flag::STAR_SEEN != 0);
    if possible { flags & flag::NEW_OK } else { 0 }
}

impl Parser {
    pub(super) fn bracket(&mut self, tok: Tok, frame: Frame, ret: &mut u16) -> Step {
        match frame.st {
            St::SeqOpen | St::SeqElement | St::SeqNext | St::SeqClose => {
                self.display(tok, frame, *ret)
            }
            St::TupleStart | St::TupleElement | St::TupleNext => self.tuple(tok, frame, ret),
            St::CompAsync | St::CompIn | St::CompTail => self.comprehension(tok, frame, *ret),
            _ if (frame.st as u8) < St::CallNext as u8 => self.brace(tok, frame, *ret),
            _ if (frame.st as u8) < St::SubOpen as u8 => self.arguments(tok, frame, *ret),
            _ => self.subscript(tok, frame, *ret),
        }
    }

    /// `( … )`, `[ … ]` and the expression of a replacement field.
    fn display(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        let field = frame.flags & flag::FIELD != 0;
        let list = frame.flags & flag::LIST != 0;
        let closer = match (field, list) {
            (true, _) => Tok::FieldEnd,
            (_, true) => Tok::RSqb,
            _ => Tok::RPar,
        };
        match frame.st {
            St::SeqClose if tok == closer => self.close_display(field, 0),
            St::SeqClose => Step::Dead,
            St::SeqElement => {
                let flags = gather(frame.flags, ret);
                self.top_mut().flags = flags;
                let first = frame.flags & flag::FIRST != 0;
                let starred = frame.flags & flag::STARRED != 0;
                if flags & (prop::NEW | prop::TARGET) == prop::NEW {
                    return Step::Dead;
                }
                match tok {
                    Tok::Comma => {
                        self.top_mut().flags &= !flag::FIRST;
                        self.goto(St::SeqNext)
                    }
                    Tok::For | Tok::Async
                        if first && !starred && ret & prop::NEW == 0 && !field =>
                    {
                        self.top_mut().st = St::SeqClose;
                        self.open_comprehension(tok, list)
                    }
                    _ if tok != closer => Step::Dead,
                    _ if first && !list => {
                        if starred {
                            return Step::Dead;
                        }
                        let kept = prop::SINGLE | prop::TARGET | prop::DEL | prop::NEW;
                        self.close_display(field, ret & kept)
                    }
                    _ => self.close_display(field, flags & (prop::TARGET | prop::DEL | prop::NEW)),
                }
            }
            _ if tok == closer => {
                if frame.st == St::SeqOpen && field {
                    return Step::Dead;
                }
                self.close_display(field, frame.flags & (prop::TARGET | prop::DEL | prop::NEW))
            }
            St::SeqOpen if tok == Tok::Yield && !list => {
                if !self.may_yield() {
                    return Step::Dead;
                }
                self.top_mut().st = St::SeqClose;
                self.push(St::YieldStart, Level::Named, 0);
                Step::Took
            }
            _ => {
                // once there is a new name all must be targets
                let bound = frame.flags & prop::NEW != 0;
                let starred = tok == Tok::Star;
                if starred && bound && frame.flags & flag::STAR_SEEN != 0 {
                    return Step::Dead;
                }
                let level = match (bound, starred, field) {
                    (true, ..) => Level::Target,
                    (_, true, _) => Level::BitOr,
                    (_, _, true) => Level::Field,
                    _ => Level::Named,
                };
                self.goto_expression(St::SeqElement, level, new_ok(frame.flags, starred));
                if !starred {
                    return Step::Again;
                }
                let n = self.stack.len();
                self.stack[n - 2].flags |= flag::STARRED;
                Step::Took
            }
        }
    }

    fn close_display(&mut self, field: bool, props: u16) -> Step {
        if field {
            self.pop();
            return Step::Took;
        }
        self.close(props)
    }

    /// Expressions with commas between and no bracket around; ends at what cannot continue it.
    fn tuple(&mut self, tok: Tok, frame: Frame, ret: &mut u16) -> Step {
        let Frame { st, level, flags } = frame;
        let deleting = flags & flag::DELETING != 0;
        if st == St::TupleElement {
            let first = flags & flag::FIRST != 0;
            let starred = flags & flag::STARRED != 0;
            let flags = gather(flags, *ret);
            if tok == Tok::Comma {
                let demanded = match (level, deleting) {
                    (_, true) => prop::DEL,
                    (Level::Target, _) => prop::TARGET,
                    _ if flags & prop::NEW != 0 => prop::TARGET,
                    _ => 0,
                };
                self.top_mut().flags = flags & !flag::FIRST;
                self.top_mut().st = St::TupleNext;
                return took_if(flags & demanded == demanded);
            }
            if first && starred {
                return Step::Dead;
            }
            if !first {
                *ret = flags & (prop::TARGET | prop::DEL | prop::NEW);
            }
            self.pop();
            return Step::Again;
        }
        // once there is a new name all must be targets
        let level = if flags & prop::NEW != 0 {
            Level::Target
        } else {
            level
        };
        if tok == Tok::Star && !deleting {
            if level == Level::Target && flags & flag::STAR_SEEN != 0 {
                return Step::Dead;
            }
            self.top_mut().flags |= flag::STARRED;
            let inner = if level == Level::Target {
                level
            } else {
                Level::BitOr
            };
            return self.goto_expression(St::TupleElement, inner, new_ok(flags, true));
        }
        if st == St::TupleStart || tok.starts_expression() {
            self.goto_expression(St::TupleElement, level, new_ok(flags, false));
            return Step::Again;
        }
        *ret = flags & (prop::TARGET | prop::DEL | prop::NEW);
        self.pop();
        Step::Again
    }

    /// `{ … }`: a dictionary or a set.
    fn brace(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        let first = frame.flags & flag::FIRST != 0;
        match (frame.st, tok) {
            (
                St::BraceOpen
                | St::SetElement
                | St::SetNext
                | St::DictNext
                | St::DictValue
                | St::DictUnpacked
                | St::BraceClose,
                Tok::RBrace,
            ) => self.close(0),
            (St::BraceOpen | St::DictNext, Tok::DoubleStar) => {
                self.goto_expression(St::DictUnpacked, Level::BitOr, 0)
            }
            (St::BraceOpen | St::SetNext, Tok::Star) => {
                self.top_mut().flags = 0;
                self.goto_expression(St::SetElement, Level::BitOr, 0)
            }
            (St::BraceOpen, _) => {
                self.top_mut().flags = flag::FIRST;
                self.goto_expression(St::BraceFirst, Level::Named, 0);
                Step::Again
            }
            (St::SetNext, _) => {
                self.goto_expression(St::SetElement, Level::Named, 0);
                Step::Again
            }
            (St::DictNext, _) => {
                self.goto_expression(St::DictKey, Level::Expression, 0);
                Step::Again
            }
            (St::BraceFirst | St::DictKey, Tok::Colon) if ret & prop::WALRUS == 0 => {
                self.goto_expression(St::DictValue, Level::Expression, 0)
            }
            (St::BraceFirst, _) => {
                self.goto(St::SetElement);
                Step::Again
            }
            (St::SetElement | St::DictValue, Tok::For | Tok::Async) if first => {
                self.top_mut().st = St::BraceClose;
                self.open_comprehension(tok, true)
            }
            (St::SetElement, Tok::Comma) => {
                self.top_mut().flags = 0;
                self.goto(St::SetNext)
            }
            (St::DictValue | St::DictUnpacked, Tok::Comma) => {
                self.top_mut().flags = 0;
                self.goto(St::DictNext)
            }
            _ => Step::Dead,
        }
    }

    /// The arguments of a call or of a class.
    fn arguments(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        let flags = frame.flags;
        let n = self.calls.len() - 1;
        let call = &mut self.calls[n];
        match (frame.st, tok) {
            (_, Tok::RPar) if !matches!(frame.st, St::CallKeyword) => {
                let last = u8::from(frame.st != St::CallNext);
                if call.given.saturating_add(last) < call.least {
                    return Step::Dead;
                }
                self.calls.pop();
                self.close(0)
            }
            (St::CallNext, _) if call.most < u8::MAX && call.given >= call.most => Step::Dead,
            (St::CallNext, Tok::Star) if flags & flag::DOUBLE_STAR == 0 => {
                *call = Call::ANY;
                self.goto_expression(St::CallUnpacked, Level::Expression, 0)
            }
            (St::CallNext, Tok::DoubleStar) => {
                *call = Call::ANY;
                self.top_mut().flags |= flag::DOUBLE_STAR | flag::KEYWORD;
                self.goto_expression(St::CallUnpacked, Level::Expression, 0)
            }
            (St::CallNext, _) if flags & flag::KEYWORD != 0 || tok == Tok::KeywordName => {
                self.top_mut().flags |= flag::KEYWORD;
                self.top_mut().st = St::CallKeyword;
                took_if(matches!(tok, Tok::Name | Tok::KeywordName))
            }
            (St::CallNext, _) => {
                self.goto_expression(St::CallElement, Level::Named, 0);
                Step::Again
            }
            (St::CallElement, Tok::Eq) if ret & prop::NAME != 0 => {
                self.top_mut().flags |= flag::KEYWORD;
                self.goto_expression(St::CallKeywordValue, Level::Expression, 0)
            }
            (St::CallKeyword, Tok::Eq) => {
                self.goto_expression(St::CallKeywordValue, Level::Expression, 0)
            }
            (St::CallElement, Tok::For | Tok::Async)
                if flags & (flag::FIRST | flag::OF_CLASS) == flag::FIRST && call.least <= 1 =>
            {
                self.top_mut().st = St::CallClose;
                self.open_comprehension(tok, false)
            }
            (St::CallElement | St::CallKeywordValue | St::CallUnpacked, Tok::Comma) => {
                call.given = call.given.saturating_add(1);
                self.top_mut().flags &= !flag::FIRST;
                self.goto(St::CallNext)
            }
            _ => Step::Dead,
        }
    }

    /// `[ … ]` after an operand: items and slices.
    fn subscript(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        let place = prop::SINGLE | prop::TARGET | prop::DEL;
        match (frame.st, tok) {
            (St::SubOpen | St::SubNext, Tok::Star) => {
                self.goto_expression(St::SubStarred, Level::BitOr, 0)
            }
            (St::SubElement, Tok::Colon) if ret & prop::WALRUS != 0 => Step::Dead,
            (St::SubOpen | St::SubNext | St::SubElement, Tok::Colon) => self.goto(St::SubColon),
            (St::SubColon | St::SubUpper, Tok::Colon) => self.goto(St::SubColon2),
            (St::SubOpen, Tok::RSqb) => Step::Dead,
            (_, Tok::RSqb) => self.close(place),
            (St::SubOpen | St::SubNext, _) => {
                self.goto_expression(St::SubElement, Level::Named, 0);
                Step::Again
            }
            (_, Tok::Comma) => self.goto(St::SubNext),
            (St::SubColon, _) => {
                self.goto_expression(St::SubUpper, Level::Expression, 0);
                Step::Again
            }
            (St::SubColon2, _) => {
                self.goto_expression(St::SubStep, Level::Expression, 0);
                Step::Again
            }
            _ => Step::Dead,
        }
    }

    /// `for` or `async` after the first element. `eager`: not a generator, which alone may be asynchronous anywhere.
    fn open_comprehension(&mut self, tok: Tok, eager: bool) -> Step {
        self.push(
            St::CompTail,
            Level::Named,
            flag::FIRST | if eager { flag::EAGER } else { 0 },
        );
        self.open_clause(tok)
    }

    /// `for` or `async` of a comprehension.
    fn open_clause(&mut self, tok: Tok) -> Step {
        if tok == Tok::For {
            return self.goto_tuple(St::CompIn, Level::Target, flag::NEW_OK);
        }
        let eager = self.top().flags & flag::EAGER != 0;
        self.top_mut().st = St::CompAsync;
        let closes = |f: &&Frame| matches!(f.st, St::SeqClose | St::BraceClose);
        let nested = self.stack.iter().filter(closes).count() > 1;
        took_if(!eager || nested || self.block().ctx & ctx::ASYNC != 0)
    }

    fn comprehension(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        match (frame.st, tok) {
            (St::CompAsync, Tok::For) => self.open_clause(tok),
            (St::CompIn, Tok::In) if ret & prop::TARGET != 0 => {
                self.top_mut().flags |= flag::ITERABLE;
                self.goto_expression(St::CompTail, Level::Or, 0)
            }
            (St::CompTail, Tok::For | Tok::Async) => {
                self.top_mut().flags &= !flag::FIRST;
                self.open_clause(tok)
            }
            (St::CompTail, Tok::If) => {
                self.top_mut().flags &= !(flag::FIRST | flag::ITERABLE);
                self.push_expression(Level::Or, 0);
                Step::Took
            }
            (St::CompTail, _) => {
                self.pop();
                Step::Again
            }
            _ => Step::Dead,
        }
    }
}
