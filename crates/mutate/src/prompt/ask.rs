//! What is asked: the texts that show a program and name a change.

use super::settings::{Answer, Api};
use super::wire::{Prompt, folded};

/// The message of the bug-fixing comparison (section 4.1 of the paper); it is put in a form of its own.
pub const FIX_BUGS: &str = "Fixed bugs.";

/// One change to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// The program to change.
    pub parent: &'a str,
    /// A second one to combine with it.
    pub partner: Option<&'a str>,
    /// The change, worded as a commit message.
    pub message: &'a str,
}

impl Ask<'_> {
    /// The prompt, and the text that a `completions` answer goes on from (part of the child).
    pub fn prompt(&self, api: Api, answer: Answer, system: &str) -> (Prompt, String) {
        match api {
            Api::Chat => {
                // Without a text of its own there is no system message: not every model takes one.
                let (system, user) = match system.trim() {
                    "" => (String::new(), folded(form(answer), &self.chat())),
                    system => (format!("{system}\n\n{}", form(answer)), self.chat()),
                };
                (Prompt::Chat { system, user }, String::new())
            }
            Api::Completions => {
                let opening = opening(self.parent);
                let text = format!("{}{opening}", self.comments());
                (Prompt::Text(text), opening)
            }
        }
    }

    fn chat(&self) -> String {
        let parent = fenced(self.parent);
        let change = match self.message {
            FIX_BUGS => {
                "The program has bugs. Find and fix them; keep all names and arguments.".to_owned()
            }
            message => format!("Make the change that this commit message describes: {message}"),
        };
        match self.partner {
            None => format!("The program:\n\n{parent}\n{change}"),
            Some(partner) => format!(
                "The program:\n\n{parent}\nAnother one that does well:\n\n{}\n\
                 Combine the best of both: change the first program so that it takes over what \
                 is good in the other. {change}",
                fenced(partner)
            ),
        }
    }

    /// The form of the paper's bug fixing, for any change: a comment, the program, a comment, the beginning
    /// of the changed program.
    fn comments(&self) -> String {
        let parent = ended(self.parent);
        match (self.partner, self.message) {
            (None, FIX_BUGS) => {
                format!("### A buggy implementation:\n{parent}\n### Fixed bugs.\n")
            }
            (None, message) => format!(
                "### A program before a change:\n{parent}\n### The same program after the change: {message}\n"
            ),
            (Some(partner), message) => format!(
                "### A good program:\n{parent}\n### Another good program:\n{}\n\
                 ### A program that combines the best of both: {message}\n",
                ended(partner)
            ),
        }
    }
}

/// How to answer.
fn form(answer: Answer) -> &'static str {
    match answer {
        Answer::Program => {
            "Answer with the whole changed program in one ```python block, and nothing else."
        }
        Answer::Diff => {
            "Answer with a unified diff of the program in one ```diff block, and nothing else. Its hunks begin \
             with @@ -line,count +line,count @@; lines that stay begin with a blank, lines that go with -, new \
             ones with +. Show three lines around each change, exactly as they stand in the program."
        }
        Answer::Replace => {
            "Answer with one or more blocks of this form, and nothing else:\n\
             <<<<<<< SEARCH\n\
             lines of the program, exactly as they stand\n\
             =======\n\
             what takes their place\n\
             >>>>>>> REPLACE"
        }
    }
}

/// A program in a fence longer than any in it.
fn fenced(program: &str) -> String {
    let longest = program
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}python\n{}{fence}\n", ended(program))
}

/// With one newline at its end.
pub(super) fn ended(program: &str) -> String {
    format!("{}\n", program.trim_end())
}

/// What a changed program is taken to begin with: the imports and comments at the program's top, and `def`
/// where a function follows them.
fn opening(program: &str) -> String {
    let mut opening = String::new();
    for line in program.lines() {
        let kept = line.trim().is_empty()
            || ["import ", "from ", "#"]
                .iter()
                .any(|start| line.starts_with(start));
        if !kept {
            if line.starts_with("def ") {
                opening.push_str("def");
            }
            break;
        }
        opening.push_str(line);
        opening.push('\n');
    }
    opening
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str =
        "from a import b\nimport math\n\n\ndef f(x):\n    return x\n\n\ndef g():\n    return f(1)";

    fn ask<'a>(partner: Option<&'a str>, message: &'a str) -> Ask<'a> {
        Ask {
            parent: PROGRAM,
            partner,
            message,
        }
    }

    #[test]
    fn completions_begin_the_changed_program() {
        let (prompt, opening) =
            ask(None, "Changed g.").prompt(Api::Completions, Answer::Program, "s");
        assert_eq!(opening, "from a import b\nimport math\n\n\ndef");
        let Prompt::Text(text) = prompt else {
            panic!("not text")
        };
        assert!(
            text.ends_with("after the change: Changed g.\nfrom a import b\nimport math\n\n\ndef")
        );
        assert_eq!(text.matches("return f(1)\n").count(), 1);
    }

    #[test]
    fn openings_hold_only_imports_comments_and_def() {
        assert_eq!(super::opening("x = 1\ndef f(): pass\n"), "");
        assert_eq!(super::opening("# c\nx = 1\n"), "# c\n");
        assert_eq!(super::opening("def f(): pass"), "def");
        assert_eq!(super::opening("default = 1"), "");
        assert_eq!(super::opening(""), "");
    }

    #[test]
    fn fixing_bugs_takes_the_form_of_the_paper() {
        let (prompt, _) = ask(None, FIX_BUGS).prompt(Api::Completions, Answer::Program, "");
        let Prompt::Text(text) = prompt else {
            panic!("not text")
        };
        assert!(text.starts_with("### A buggy implementation:\nfrom a"));
        assert!(text.contains("\n### Fixed bugs.\nfrom a"));
        let (prompt, _) = ask(None, FIX_BUGS).prompt(Api::Chat, Answer::Program, "");
        let Prompt::Chat { user, .. } = prompt else {
            panic!("not chat")
        };
        assert!(user.contains("Find and fix"), "{user}");
    }

    #[test]
    fn a_partner_is_shown_after_the_parent() {
        for api in [Api::Chat, Api::Completions] {
            let (prompt, _) =
                ask(Some("def other(): pass"), "Small change.").prompt(api, Answer::Program, "s");
            let (Prompt::Chat { user: text, .. } | Prompt::Text(text)) = prompt;
            let [parent, partner, both] =
                ["def g()", "def other()", "est of both"].map(|x| text.find(x).unwrap());
            assert!(parent < partner && partner < both, "{text}");
            assert!(text.contains("Small change."), "{text}");
        }
    }

    #[test]
    fn each_form_of_answer_is_asked_for() {
        for (answer, word) in [
            (Answer::Program, "```python"),
            (Answer::Diff, "@@"),
            (Answer::Replace, "<<<<<<< SEARCH"),
        ] {
            let (prompt, opening) = ask(None, "m").prompt(Api::Chat, answer, "Be brief.");
            let Prompt::Chat { system, user } = prompt else {
                panic!("not chat")
            };
            assert!(system.starts_with("Be brief.\n\n") && system.contains(word));
            assert!(user.contains(PROGRAM) && opening.is_empty());
        }
    }

    #[test]
    fn without_a_system_text_there_is_one_message() {
        let (prompt, _) = ask(None, "m").prompt(Api::Chat, Answer::Diff, " \n");
        let Prompt::Chat { system, user } = prompt else {
            panic!("not chat")
        };
        assert!(system.is_empty() && user.contains("```diff") && user.contains(PROGRAM));
    }

    #[test]
    fn fences_are_longer_than_those_within() {
        let text = fenced("x = '````'");
        assert!(text.starts_with("`````python\n") && text.ends_with("\n`````\n"));
    }
}
