//! The pushdown automaton: a stack of frames, each a place in a construct, above a stack of indented blocks.

use smallvec::SmallVec;

use super::token::Tok;

/// What a finished expression may serve as; what its last atom was.
pub(super) mod prop {
    /// A bare name: may be a keyword's name or stand left of `:=`.
    pub const NAME: u16 = 1;
    /// One target, perhaps in parentheses: may be annotated or augmented.
    pub const SINGLE: u16 = 1 << 1;
    /// May be assigned to.
    pub const TARGET: u16 = 1 << 2;
    /// May be deleted.
    pub const DEL: u16 = 1 << 3;
    /// Holds a name that is not known, so it must become a target.
    pub const NEW: u16 = 1 << 4;
    /// A string or bytes literal, which another may follow.
    pub const STR: u16 = 1 << 5;
    pub const BYTES: u16 = 1 << 6;
    /// Stands left and right of `:=`.
    pub const WALRUS: u16 = 1 << 15;
    pub const ALL: u16 = (1 << 7) - 1;
}

/// What a frame remembers besides.
pub(super) mod flag {
    /// Expression: an operator was applied, so its last atom says nothing of the whole.
    pub const COMPOSITE: u16 = 1 << 7;
    /// An unknown name may stand here, to be bound.
    pub const NEW_OK: u16 = 1 << 8;
    /// Display, arguments: no comma so far.
    pub const FIRST: u16 = 1 << 9;
    /// Display: this element is starred; one was.
    pub const STARRED: u16 = 1 << 10;
    pub const STAR_SEEN: u16 = 1 << 11;
    /// Display: a list; a replacement field of an f-string; neither is a parenthesis.
    pub const LIST: u16 = 1 << 12;
    pub const FIELD: u16 = 1 << 13;
    /// Targets of `del`.
    pub const DELETING: u16 = 1 << 14;
    /// Comprehension: not a generator; in an iterable, not in a condition.
    pub const EAGER: u16 = 1 << 12;
    pub const ITERABLE: u16 = 1 << 13;
    /// Arguments: a keyword was given; `**` was; of a class, where no bare generator may stand.
    pub const KEYWORD: u16 = 1 << 12;
    pub const DOUBLE_STAR: u16 = 1 << 13;
    pub const OF_CLASS: u16 = 1 << 14;
}

/// How much an expression may hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Anything, `:=` included.
    Named,
    /// A conditional expression or a lambda.
    Expression,
    /// The same in a replacement field, where a lambda's colon would end the field.
    Field,
    /// A disjunction: no conditional expression.
    Or,
    /// Arithmetic: what may follow a star.
    BitOr,
    /// A target: an atom and what trails it.
    Target,
}

/// A place in a construct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
pub(super) enum St {
    // expressions: what is awaited
    Start, AfterNot, AfterOperator, AfterAwait, AfterIs, NotIn, Attribute, After, Ternary,
    LambdaBody, YieldStart, YieldEnd,
    // displays and bare tuples
    SeqOpen, SeqElement, SeqNext, SeqClose,
    TupleStart, TupleElement, TupleNext,
    BraceOpen, BraceFirst, SetElement, SetNext, DictKey, DictValue, DictNext, DictUnpacked, BraceClose,
    // arguments and subscripts
    CallNext, CallElement, CallKeyword, CallKeywordValue, CallUnpacked, CallClose,
    SubOpen, SubElement, SubStarred, SubColon, SubUpper, SubColon2, SubStep, SubNext,
    // comprehensions
    CompAsync, CompIn, CompTail,
    // parameters
    ParamNext, ParamName, ParamAnnotated, ParamDefault, ParamSlash, ParamStar, ParamStarName, ParamStarAnnotation, ParamStarAnnotated,
    ParamKwargs, ParamKwargsName, ParamKwargsAnnotated, ParamEnd,
    // the line: a statement's states are those of the bottom frame
    Line, AfterSemi, LineEnd, Suite, Decorator, Header,
    Expr, Rhs, RhsEnd, Annotation, LastRhs,
    DefName, DefOpen, DefArrow, DefReturns, ClassName, ClassArgs, ForIn, AsyncStart,
    WithStart, WithItem, WithTarget, WithParenFirst, WithParenNext, WithParenItem, WithParenTarget,
    ExceptStart, ExceptAs, ExceptName, CaseGuard,
    ImportName, ImportAfter, ImportAs, ImportNamed,
    FromDots, FromName, FromPath, FromNames, FromNext, FromAfter, FromAs, FromNamed,
    FromParenFirst, FromParenNext, FromParenAfter, FromParenAs, FromParenNamed,
    GlobalName, GlobalAfter, DelAfter, AssertAfter, RaiseStart, RaiseAfter, ReturnStart,
    // patterns
    Pattern, PatternName, PatternAttribute, PatternNumber, PatternNegative, PatternImaginary, PatternText,
    PatternAfter, PatternAs, PatternDone,
    PatSeqNext, PatSeqElement, PatStar,
    PatMapNext, PatMapText, PatMapName, PatMapDot, PatMapAttribute, PatMapNumber, PatMapNegative,
    PatMapImaginary, PatMapColon, PatMapElement, PatMapRest, PatMapClose,
    PatArgNext, PatArgElement, PatArgKeyword, PatArgValue,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub st: St,
    pub level: Level,
    pub flags: u16,
}

/// What surrounds a statement.
pub(super) mod ctx {
    /// In a function: `return`, `yield`.
    pub const FUNCTION: u8 = 1;
    /// In an `async` function.
    pub const ASYNC: u8 = 1 << 1;
    /// In a loop of this function.
    pub const LOOP: u8 = 1 << 2;
    /// In an `except*` block: no `return`.
    pub const NO_RETURN: u8 = 1 << 3;
    /// Directly under `match`: only `case`.
    pub const MATCH: u8 = 1 << 4;
    /// In a function or a class.
    pub const INNER: u8 = 1 << 5;
}

/// What the last statement of a block asks of the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    Free,
    /// `elif` or `else` may follow.
    If,
    /// `else` may follow.
    Loop,
    /// `except` or `finally` must follow.
    Try,
    /// More handlers, `else` or `finally` may follow.
    Except,
    ExceptStar,
    /// After a handler of everything: `else` or `finally` may follow.
    ExceptAll,
    /// `finally` may follow.
    TryElse,
    /// A decorator: another, a function or a class must follow.
    Decorated,
}

impl Tail {
    fn may_end(self) -> bool {
        !matches!(self, Tail::Try | Tail::Decorated)
    }
}

/// A suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    /// Columns of its indentation with tabs to multiples of eight, and with tabs of one column; both must agree.
    pub indent: u16,
    pub alt: u16,
    pub ctx: u8,
    pub tail: Tail,
}

/// Instead of a column: the suite stands on the header's line; or its first line is awaited.
pub(super) const INLINE: u16 = u16::MAX;
pub(super) const PENDING: u16 = u16::MAX - 1;

/// CPython refuses deeper indentation.
const MAX_BLOCKS: usize = 99;

/// What became of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Taken.
    Took,
    /// Not yet: ask the frame now on top.
    Again,
    /// Impossible here.
    Dead,
}

/// `Took` where it is so.
pub(super) fn took_if(condition: bool) -> Step {
    if condition { Step::Took } else { Step::Dead }
}

/// A call under way, and what its function takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Call {
    /// The function's index among those whose signatures are known.
    pub function: Option<u16>,
    pub least: u8,
    pub most: u8,
    /// Arguments before the last comma.
    pub given: u8,
}

impl Call {
    /// Of a function that may take anything.
    pub const ANY: Call = Call {
        function: None,
        least: 0,
        most: u8::MAX,
        given: 0,
    };
}

#[derive(PartialEq, Eq, Debug)]
pub(super) struct Parser {
    pub(super) stack: SmallVec<[Frame; 20]>,
    pub(super) blocks: SmallVec<[Block; 8]>,
    /// One for each frame that reads arguments.
    pub(super) calls: SmallVec<[Call; 4]>,
    /// What is called, if the next token is a parenthesis.
    pub(super) callee: Call,
}

impl Clone for Parser {
    fn clone(&self) -> Self {
        // plain copies: quicker than element by element
        Parser {
            stack: SmallVec::from_slice(&self.stack),
            blocks: SmallVec::from_slice(&self.blocks),
            calls: SmallVec::from_slice(&self.calls),
            callee: self.callee,
        }
    }
}

impl Parser {
    pub(super) fn new() -> Self {
        let mut parser = Parser {
            stack: SmallVec::new(),
            blocks: SmallVec::new(),
            calls: SmallVec::new(),
            callee: Call::ANY,
        };
        parser.blocks.push(Block {
            indent: 0,
            alt: 0,
            ctx: 0,
            tail: Tail::Free,
        });
        parser.push(St::Line, Level::Named, 0);
        parser
    }

    /// Takes a token; `false` if it cannot come here, after which the parser must not be used.
    pub(super) fn feed(&mut self, tok: Tok) -> bool {
        let mut ret = 0;
        loop {
            match self.step(tok, &mut ret) {
                Step::Took => return true,
                Step::Again => {}
                Step::Dead => return false,
            }
        }
    }

    /// Whether the token may come next.
    pub(super) fn accepts(&self, tok: Tok) -> bool {
        // the commonest answers without a copy
        let Frame { st, level, flags } = self.top();
        match (st, tok) {
            (
                St::Start | St::AfterNot | St::AfterOperator | St::AfterAwait | St::AfterIs,
                Tok::Name,
            ) => return true,
            (_, Tok::KeywordName) if st != St::CallNext => return false,
            (St::After, _) if flags & prop::NEW == 0 => match tok {
                Tok::Dot => return true,
                Tok::Name => return false,
                Tok::Plus
                | Tok::Minus
                | Tok::Star
                | Tok::Slash
                | Tok::At
                | Tok::Arith
                | Tok::Bar
                    if level <= Level::BitOr =>
                {
                    return true;
                }
                Tok::Compare | Tok::In | Tok::Is | Tok::Not | Tok::And | Tok::Or
                    if level <= Level::Or =>
                {
                    return true;
                }
                _ => {}
            },
            _ => {}
        }
        self.clone().feed(tok)
    }

    /// The first token of a line stands in this column: closes and opens blocks.
    pub(super) fn start_line(&mut self, col: u16, alt: u16) -> bool {
        let n = self.blocks.len();
        if self.blocks[n - 1].indent == PENDING {
            let outer = self.blocks[n - 2];
            let inner = &mut self.blocks[n - 1];
            (inner.indent, inner.alt) = (col, alt);
            return col > outer.indent && alt > outer.alt;
        }
        while self.block().indent > col {
            if !self.block().tail.may_end() {
                return false;
            }
            self.blocks.pop();
        }
        self.block().indent == col && self.block().alt == alt
    }

    /// Left of the first `=` of an assignment, or in what may turn out to be one; left of the `in` of a `for`.
    pub(super) fn in_targets(&self) -> bool {
        let part = |f: &Frame| {
            matches!(
                f.st,
                St::TupleStart
                    | St::TupleElement
                    | St::TupleNext
                    | St::SeqOpen
                    | St::SeqElement
                    | St::SeqNext
                    | St::Start
                    | St::After
            )
        };
        matches!(self.stack[0].st, St::Expr | St::ForIn) && self.stack[1..].iter().all(part)
    }

    /// In what a name, a parameter or a function is annotated with.
    pub(super) fn in_annotation(&self) -> bool {
        let annotated = |f: &Frame| {
            matches!(
                f.st,
                St::Annotation
                    | St::ParamAnnotated
                    | St::ParamStarAnnotated
                    | St::ParamKwargsAnnotated
                    | St::DefReturns
            )
        };
        self.stack.iter().any(annotated)
    }

    /// Whether the file may end before the next line.
    pub(super) fn may_end(&self) -> bool {
        self.top().st == St::Line
            && self.block().indent != PENDING
            && self.blocks.iter().all(|b| b.tail.may_end())
    }

    /// One step; `ret` is what the expression just finished may serve as.
    fn step(&mut self, tok: Tok, ret: &mut u16) -> Step {
        let frame = self.top();
        let st = frame.st as u8;
        if st <= St::YieldEnd as u8 {
            self.expression(tok, frame, ret)
        } else if st <= St::CompTail as u8 {
            self.bracket(tok, frame, ret)
        } else if st <= St::ParamEnd as u8 {
            self.parameter(tok, frame)
        } else if st < St::Pattern as u8 {
            self.statement(tok, frame, *ret)
        } else {
            self.pattern(tok, frame, ret)
        }
    }

    pub(super) fn top(&self) -> Frame {
        self.stack[self.stack.len() - 1]
    }

    pub(super) fn top_mut(&mut self) -> &mut Frame {
        let n = self.stack.len();
        &mut self.stack[n - 1]
    }

    pub(super) fn block(&self) -> Block {
        self.blocks[self.blocks.len() - 1]
    }

    pub(super) fn set_tail(&mut self, tail: Tail) {
        let n = self.blocks.len();
        self.blocks[n - 1].tail = tail;
    }

    pub(super) fn push(&mut self, st: St, level: Level, flags: u16) {
        self.stack.push(Frame { st, level, flags });
    }

    /// Awaits the arguments of a call.
    pub(super) fn push_call(&mut self, call: Call, flags: u16) {
        self.calls.push(call);
        self.push(St::CallNext, Level::Named, flag::FIRST | flags);
    }

    /// Awaits an expression.
    pub(super) fn push_expression(&mut self, level: Level, flags: u16) {
        self.push(St::Start, level, flags);
    }

    /// Awaits expressions with commas between.
    pub(super) fn push_tuple(&mut self, level: Level, flags: u16) {
        self.push(
            St::TupleStart,
            level,
            flags | flag::FIRST | prop::TARGET | prop::DEL,
        );
    }

    pub(super) fn pop(&mut self) {
        self.stack.pop();
    }

    /// Replaces the state on top; the token is taken.
    pub(super) fn goto(&mut self, st: St) -> Step {
        self.top_mut().st = st;
        Step::Took
    }

    /// The same, and awaits an expression.
    pub(super) fn goto_expression(&mut self, st: St, level: Level, flags: u16) -> Step {
        self.top_mut().st = st;
        self.push_expression(level, flags);
        Step::Took
    }

    /// The same, and awaits expressions with commas between.
    pub(super) fn goto_tuple(&mut self, st: St, level: Level, flags: u16) -> Step {
        self.top_mut().st = st;
        self.push_tuple(level, flags);
        Step::Took
    }

    /// The colon of a header: a suite follows.
    pub(super) fn open_block(&mut self) -> Step {
        if self.blocks.len() > MAX_BLOCKS {
            return Step::Dead;
        }
        let ctx = self.top().flags as u8;
        self.blocks.push(Block {
            indent: INLINE,
            alt: 0,
            ctx,
            tail: Tail::Free,
        });
        self.goto(St::Suite)
    }
}
