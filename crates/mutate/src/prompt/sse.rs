//! Answers that come as server-sent events, piece by piece, put together to what they would be in one.

use serde_json::{Map, Value, json};

/// The events of one answer, read as they come.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// The last byte ended a line as a carriage return; a line feed behind it ends no other.
    after_cr: bool,
    /// The data of the event under way.
    data: String,
    /// The event under way is named an error.
    error: bool,
    /// Texts of the message so far, by field.
    message: Map<String, Value>,
    text: Option<String>,
    finish: Option<Value>,
    usage: Option<Value>,
    failure: Option<Value>,
    done: bool,
}

/// The fields of a message that come in pieces.
const PIECES: [&str; 5] = [
    "content",
    "reasoning_content",
    "reasoning",
    "thinking",
    "refusal",
];

impl Events {
    /// Whether a body looks like events, whatever kind it is said to be of.
    pub fn are_in(body: &[u8]) -> bool {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let body = body.trim_ascii_start();
        [&b"data:"[..], b"event:", b"id:", b"retry:", b":"]
            .iter()
            .any(|field| body.starts_with(field))
    }

    /// Takes bytes. What comes after the last event does not count.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    self.end_line();
                }
                byte => {
                    self.after_cr = false;
                    self.line.push(*byte);
                }
            }
            if self.done {
                return;
            }
        }
    }

    /// Whether the last event was there.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Bytes of what was kept.
    pub fn bytes(&self) -> usize {
        let texts = self.message.values().filter_map(Value::as_str);
        let pieces = texts.chain(self.text.as_deref()).map(str::len);
        self.line.len() + self.data.len() + pieces.sum::<usize>()
    }

    /// The answer in one piece, or an error's object; `None` where the events ended before the answer did.
    pub fn answer(mut self) -> Option<Value> {
        if !self.done {
            self.end_line();
            self.dispatch();
        }
        if let Some(failure) = self.failure {
            return Some(json!({ "error": failure }));
        }
        if self.finish.is_none() && !self.done {
            return None;
        }
        let mut choice = json!({"finish_reason": self.finish});
        match self.text {
            Some(text) => choice["text"] = text.into(),
            None => choice["message"] = self.message.into(),
        }
        Some(json!({"choices": [choice], "usage": self.usage}))
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_start_matches('\u{feff}');
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => self.dispatch(),
            "data" => {
                // Some servers leave out the empty line between events of one line each.
                if self.data.lines().nth(1).is_none() && whole(&self.data) {
                    self.dispatch();
                }
                self.data.push_str(value);
                self.data.push('\n');
            }
            "event" => self.error = value == "error",
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let data = std::mem::take(&mut self.data);
        let error = std::mem::take(&mut self.error);
        if self.done || data.trim().is_empty() {
            return;
        }
        if data.trim() == "[DONE]" {
            self.done = true;
            return;
        }
        match serde_json::from_str::<Value>(&data) {
            Ok(event) if error && event.get("error").is_none() => self.fail(event),
            Ok(event) => self.take(&event),
            Err(_) if error => self.fail(json!({ "message": data })),
            Err(e) => {
                self.fail(json!({ "message": format!("an event is not JSON ({e}): {data}") }))
            }
        }
    }

    fn fail(&mut self, failure: Value) {
        self.failure = Some(failure);
        self.done = true;
    }

    fn take(&mut self, event: &Value) {
        if let Some(error) = super::wire::error(event) {
            return self.fail(error.clone());
        }
        if let Some(usage) = event.get("usage").filter(|usage| usage.is_object()) {
            self.usage = Some(usage.clone());
        }
        let choices = event.get("choices").and_then(Value::as_array);
        let first = |choice: &&Value| choice.get("index").is_none_or(|at| at == 0);
        let Some(choice) = choices.and_then(|choices| choices.iter().find(first)) else {
            return;
        };
        if let Some(text) = choice.get("text").and_then(Value::as_str) {
            self.text.get_or_insert_default().push_str(text);
        }
        if let Some(finish) = choice.get("finish_reason").filter(|x| !x.is_null()) {
            self.finish = Some(finish.clone());
        }
        // A server that was not asked for events may send its one message as one.
        let Some(delta) = choice.get("delta").or_else(|| choice.get("message")) else {
            return;
        };
        for field in PIECES {
            let piece = delta.get(field).and_then(super::wire::content);
            let Some(piece) = piece.filter(|piece| !piece.is_empty()) else {
                continue;
            };
            match self.message.get_mut(field) {
                Some(Value::String(text)) => text.push_str(&piece),
                _ => {
                    self.message.insert(field.to_owned(), piece.into());
                }
            }
        }
        if let Some(calls) = delta.get("tool_calls").filter(|calls| !calls.is_null()) {
            self.message.insert("tool_calls".to_owned(), calls.clone());
        }
    }
}

/// Whether an event's data are all there.
fn whole(data: &str) -> bool {
    data.trim() == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Value> {
        // Bytes may come in any pieces.
        let answers = [1, 3, body.len().max(1)].map(|size| {
            let mut events = Events::default();
            body.as_bytes()
                .chunks(size)
                .for_each(|bytes| events.push(bytes));
            events.answer()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{body}");
        answers[0].clone()
    }

    fn piece(text: &str) -> String {
        json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
            .to_string()
    }

    const END: &str = r#"{"choices": [{"delta": {}, "finish_reason": "stop"}]}"#;
    const USAGE: &str = r#"{"choices": [], "usage": {"completion_tokens": 2}}"#;

    #[test]
    fn pieces_make_one_answer() {
        let (a, b) = (piece("a\né"), piece("b"));
        let other = r#"{"choices": [{"index": 1, "delta": {"content": "other"}}]}"#;
        for body in [
            format!(
                "data: {a}\n\ndata: {other}\n\ndata: {b}\n\ndata: {END}\n\ndata: {USAGE}\n\ndata: [DONE]\n\ndata: {b}\n\n"
            ),
            format!(
                "\u{feff}: hello\r\n\r\ndata:{a}\r\n\r\n: ping\r\n\r\nevent: message\r\nid: 7\r\ndata: {b}\r\n\r\ndata: {END}\r\n\r\ndata: {USAGE}"
            ),
            format!(
                "data: {a}\rretry: 9\r\rdata: {b}\r\rdata: {END}\r\rdata: {USAGE}\r\rdata: [DONE]"
            ),
            // Without empty lines, and with data on several lines.
            format!("data: {a}\ndata: {b}\ndata: {END}\ndata: {USAGE}\ndata: [DONE]\n"),
            format!(
                "data: {}\n\ndata: {b}\n\ndata: {END}\n\ndata: {USAGE}\n\n",
                a.replacen(':', ":\ndata: ", 1)
            ),
        ] {
            let answer = read(&body).unwrap();
            assert_eq!(
                answer["choices"][0]["message"]["content"], "a\néb",
                "{body}"
            );
            assert_eq!(answer["choices"][0]["finish_reason"], "stop");
            assert_eq!(answer["usage"]["completion_tokens"], 2);
        }
        let text = r#"{"choices": [{"text": "x"}]}"#;
        let answer = read(&format!("data: {text}\n\ndata: {text}\n\ndata: [DONE]\n\n")).unwrap();
        assert_eq!(answer["choices"][0]["text"], "xx");
        let thought = r#"{"choices": [{"delta": {"reasoning_content": "hm", "content": null}}]}"#;
        let answer = read(&format!(
            "data: {thought}\n\ndata: {thought}\n\ndata: {END}\n\n"
        ))
        .unwrap();
        assert_eq!(answer["choices"][0]["message"]["reasoning_content"], "hmhm");
    }

    #[test]
    fn what_ends_early_is_no_answer() {
        assert_eq!(read(""), None);
        assert_eq!(read(": ping\n\n"), None);
        assert_eq!(read(&format!("data: {}\n\n", piece("def f"))), None);
        let a = piece("a");
        for (event, says) in [
            (
                r#"data: {"error": {"message": "overloaded"}}"#,
                "overloaded",
            ),
            (
                "event: error\ndata: {\"message\": \"overloaded\"}",
                "overloaded",
            ),
            ("event: error\ndata: overloaded", "overloaded"),
            ("data: {\"choices\": [{\"del", "not JSON"),
        ] {
            let answer = read(&format!("data: {a}\n\n{event}\n\ndata: {END}\n\n")).unwrap();
            let error = answer["error"]["message"].as_str().unwrap();
            assert!(error.contains(says), "{error}");
        }
    }
}
