//! The shape of requests that a server turns out to want.

use serde_json::{Value, json};

use super::wire::folded;

/// What a server was found to want otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// No system message: its text in the user's.
    folds: bool,
    /// `max_completion_tokens` for `max_tokens`.
    completion_tokens: bool,
}

impl Shape {
    /// The shape to try after a request of this one was refused, if what the server says tells of another.
    pub fn taught(self, status: u16, said: &str, body: &Value) -> Option<Self> {
        let said = said.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let refused = matches!(status, 400 | 404 | 415 | 422);
        let system = body
            .pointer("/messages/0/role")
            .is_some_and(|role| role == "system");
        // Of a chat template that raises an exception some servers make a 500.
        let role = says(&[
            "system role",
            "system message",
            "roles must alternate",
            "developer instruction",
        ]) || refused && says(&["system", "role"]);
        if system && !self.folds && (refused || status >= 500) && role {
            return Some(Self {
                folds: true,
                ..self
            });
        }
        let tokens = body.get("max_tokens").is_some();
        if tokens && !self.completion_tokens && refused && says(&["max_completion_tokens"]) {
            return Some(Self {
                completion_tokens: true,
                ..self
            });
        }
        None
    }

    /// What is sent of a request.
    pub fn of(self, body: &Value) -> String {
        let mut body = body.clone();
        if self.completion_tokens
            && let Some(body) = body.as_object_mut()
            && let Some(most) = body.remove("max_tokens")
        {
            body.insert("max_completion_tokens".to_owned(), most);
        }
        if self.folds
            && let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut)
            && let [system, user] = &messages[..]
        {
            let [system, user] = [system, user].map(|x| x["content"].as_str().unwrap_or_default());
            *messages = vec![json!({"role": "user", "content": folded(system, user)})];
        }
        body.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::prompt::Settings;
    use crate::prompt::wire::{Prompt, request};

    #[test]
    fn servers_teach_the_shape_of_requests() {
        let settings = Settings::default();
        let prompt = Prompt::Chat {
            system: "Be brief.".into(),
            user: "Change it.".into(),
        };
        let body = request(&settings, &Map::new(), &prompt, 1);
        let plain = Shape::default();
        for (status, said) in [
            (400, "System role not supported"),
            (
                400,
                "Only user, assistant and tool roles are supported, got system.",
            ),
            (
                400,
                "Conversation roles must alternate user/assistant/user/assistant/...",
            ),
            (400, "Developer instruction is not enabled for models/x"),
            (
                422,
                "messages[0].role does not support 'system' with this model",
            ),
            (500, "Jinja Exception: System role not supported"),
        ] {
            let shape = plain.taught(status, said, &body).expect(said);
            let sent: Value = serde_json::from_str(&shape.of(&body)).unwrap();
            assert_eq!(
                sent["messages"],
                json!([{"role": "user", "content": "Be brief.\n\nChange it."}])
            );
            assert_eq!(shape.taught(status, said, &body), None, "once");
        }
        for (status, said) in [
            (400, "the context is too long"),
            (500, "the system is overloaded"),
            (401, "wrong role"),
        ] {
            assert_eq!(plain.taught(status, said, &body), None, "{said}");
        }
        let said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        let shape = plain.taught(400, said, &body).unwrap();
        let sent: Value = serde_json::from_str(&shape.of(&body)).unwrap();
        assert_eq!(sent["max_completion_tokens"], settings.max_tokens);
        assert!(sent.get("max_tokens").is_none());
    }
}
