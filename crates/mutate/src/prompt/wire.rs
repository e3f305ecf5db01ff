//! The JSON of requests and answers.

use serde_json::{Map, Value, json};

use super::settings::{Api, Settings};

/// What ends the answer of a `completions` model: the comments that its prompt is built of, and a fence.
const STOPS: [&str; 2] = ["\n###", "\n```"];

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// What a chat model is told about its task, and what it is asked.
    Chat {
        /// The system message.
        system: String,
        /// The user's message.
        user: String,
    },
    /// Text to go on with.
    Text(String),
}

impl Prompt {
    /// The interface that takes it, under the endpoint's URL.
    pub fn path(&self) -> &'static str {
        match self {
            Prompt::Chat { .. } => "chat/completions",
            Prompt::Text(_) => "completions",
        }
    }

    /// Its tokens where nobody counts them: four bytes each.
    pub fn guessed_tokens(&self) -> u32 {
        guess(self.bytes())
    }

    fn bytes(&self) -> usize {
        match self {
            Prompt::Chat { system, user } => system.len() + user.len(),
            Prompt::Text(text) => text.len(),
        }
    }
}

/// The body of a request. `extra` wins over what the other settings say; a field that is null there is left out.
pub(super) fn request(
    settings: &Settings,
    extra: &Map<String, Value>,
    prompt: &Prompt,
    seed: u32,
) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("model", settings.model.as_str().into());
    put("stream", settings.stream.into());
    match prompt {
        Prompt::Chat { system, user } => {
            let mut messages = vec![json!({"role": "user", "content": user})];
            if !system.is_empty() {
                messages.insert(0, json!({"role": "system", "content": system}));
            }
            put("messages", messages.into());
        }
        Prompt::Text(text) => {
            put("prompt", text.as_str().into());
            put("stop", STOPS.as_slice().into());
        }
    }
    if settings.stream {
        put("stream_options", json!({"include_usage": true}));
    }
    if settings.send_temperature {
        put("temperature", settings.temperature.into());
    }
    if settings.top_p < 1.0 {
        put("top_p", settings.top_p.into());
    }
    if settings.max_tokens > 0 {
        put("max_tokens", settings.max_tokens.into());
    }
    if settings.send_seed {
        put("seed", seed.into());
    }
    for (name, value) in extra {
        match value {
            Value::Null => body.remove(name),
            value => body.insert(name.clone(), value.clone()),
        };
    }
    body.into()
}

/// The text of a system message, within the user's.
pub(super) fn folded(system: &str, user: &str) -> String {
    format!("{system}\n\n{user}")
}

/// The error in an answer that is none, whatever its status.
pub(super) fn error(answer: &Value) -> Option<&Value> {
    let at = |place: &str| {
        answer
            .pointer(place)
            .filter(|error| !error.is_null() && **error != false)
    };
    at("/error").or_else(|| at("/choices/0/error"))
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Its text.
    pub text: String,
    /// Whether it was cut at the limit of tokens.
    pub cut: bool,
    /// What there is where a text should be.
    pub instead: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// How many of those the server took from a cache.
    pub cached: u32,
    /// Tokens written.
    pub tokens: u32,
}

impl Reply {
    /// Reads an answer. Where the server counts no tokens, a token is taken to be four bytes.
    ///
    /// # Errors
    /// What is missing.
    pub fn read(answer: &Value, api: Api, prompt: &Prompt) -> Result<Self, String> {
        let choice = answer
            .pointer("/choices/0")
            .ok_or("the answer has no choices")?;
        let text = match api {
            Api::Chat => choice
                .pointer("/message/content")
                .or_else(|| choice.get("message").map(|_| &Value::Null))
                .ok_or("the answer's choice has no message")?,
            Api::Completions => choice
                .get("text")
                .ok_or("the answer's choice has no text")?,
        };
        let text = content(text).ok_or("the answer's content is not text")?;
        let usage = |field: &str| {
            let count = answer.get("usage")?.get(field)?.as_u64()?;
            u32::try_from(count).ok()
        };
        let prompt_tokens = usage("prompt_tokens").unwrap_or_else(|| prompt.guessed_tokens());
        let cached = answer
            .pointer("/usage/prompt_tokens_details/cached_tokens")
            .and_then(Value::as_u64)
            .and_then(|count| u32::try_from(count).ok())
            .map_or(0, |count| count.min(prompt_tokens));
        let reason = choice.get("finish_reason").and_then(Value::as_str);
        let cuts = ["length", "max_tokens", "max_output_tokens", "model_length"];
        let instead = choice.get("message").and_then(instead);
        Ok(Self {
            cut: reason.is_some_and(|reason| cuts.contains(&reason.to_lowercase().as_str())),
            prompt_tokens,
            cached,
            tokens: usage("completion_tokens").unwrap_or_else(|| guess(text.len())),
            instead: instead.filter(|_| text.trim().is_empty()),
            text,
        })
    }
}

/// What a message has beside an empty content.
fn instead(message: &Value) -> Option<String> {
    let text = |field: &str| {
        let text = content(message.get(field)?)?;
        (!text.trim().is_empty()).then_some(text)
    };
    if let Some(refusal) = text("refusal") {
        let words: Vec<&str> = refusal.split_whitespace().take(40).collect();
        return Some(format!("a refusal: {}", words.join(" ")));
    }
    let called = |field: &&&str| match message.get(**field) {
        Some(Value::Array(calls)) => !calls.is_empty(),
        Some(value) => !value.is_null(),
        None => false,
    };
    let fields = ["reasoning_content", "reasoning", "thinking"];
    let thoughts = fields.iter().find_map(|field| Some((field, text(field)?)));
    match thoughts {
        Some((field, text)) => Some(format!("{} characters of {field}", text.chars().count())),
        None => ["tool_calls", "function_call"]
            .iter()
            .find(called)
            .map(|field| format!("{field}, which was not asked for")),
    }
}

/// Tokens of a text, where nobody counts them.
fn guess(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(4)).unwrap_or(u32::MAX)
}

/// The text of a message: a string, nothing, or a list of parts.
pub(super) fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        Value::Array(parts) => Some(
            parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect(),
        ),
        _ => None,
    }
}

/// The names of the models that an endpoint says it serves.
pub(super) fn models(answer: &Value) -> Vec<&str> {
    let list = answer.get("data").unwrap_or(answer);
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|model| model.get("id")?.as_str())
        .collect()
}

#[cfg(test)]
impl Reply {
    /// A text, as from a server that counts nothing.
    pub fn of(text: &str, cut: bool) -> Self {
        let reason = if cut { "length" } else { "stop" };
        let answer = json!({"choices": [{"text": text, "finish_reason": reason}]});
        let prompt = Prompt::Text(String::new());
        Self::read(&answer, Api::Completions, &prompt).expect("an answer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_can_be_left_out() {
        let settings = Settings {
            send_temperature: false,
            stream: true,
            ..Settings::default()
        };
        let mut extra = Map::new();
        extra.insert("top_p".into(), Value::Null);
        let body = request(&settings, &extra, &ask(), 1);
        assert!(body.get("temperature").is_none() && body.get("top_p").is_none());
        assert_eq!(body["stream"], true);
    }

    fn ask() -> Prompt {
        Prompt::Text("x".repeat(9))
    }

    fn read(api: Api, answer: Value) -> Result<Reply, String> {
        Reply::read(&answer, api, &ask())
    }

    #[test]
    fn answers_of_both_interfaces_are_read() {
        let chat = json!({
            "choices": [{"message": {"content": "hi"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 1,
                      "prompt_tokens_details": {"cached_tokens": 5}},
        });
        let reply = read(Api::Chat, chat).unwrap();
        assert_eq!(
            (
                reply.text.as_str(),
                reply.cut,
                reply.prompt_tokens,
                reply.cached,
                reply.tokens
            ),
            ("hi", true, 7, 5, 1)
        );
        let text = json!({"choices": [{"text": "hello"}]});
        let reply = read(Api::Completions, text).unwrap();
        assert_eq!(
            (reply.prompt_tokens, reply.tokens),
            (3, 2),
            "four bytes a token"
        );
        let parts = json!({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"x": 1}]}}]});
        assert_eq!(read(Api::Chat, parts).unwrap().text, "a");
        let none = json!({"choices": [{"message": {"content": null}}]});
        assert_eq!(read(Api::Chat, none).unwrap().text, "");
    }

    #[test]
    fn odd_counts_are_guessed_again() {
        for odd in [
            json!(-1),
            json!(1e300),
            json!("7"),
            json!(null),
            json!(u64::MAX),
        ] {
            let answer = json!({
                "choices": [{"text": "12345678"}],
                "usage": {"prompt_tokens": odd, "completion_tokens": odd},
            });
            let reply = read(Api::Completions, answer).unwrap();
            assert_eq!((reply.prompt_tokens, reply.tokens), (3, 2));
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for answer in [
            json!(null),
            json!([]),
            json!({"choices": []}),
            json!({"choices": [{}]}),
            json!({"choices": {"0": 1}}),
            json!({"choices": [{"message": {"content": 7}, "text": 7}]}),
        ] {
            for api in [Api::Chat, Api::Completions] {
                assert!(read(api, answer.clone()).is_err(), "{answer}");
            }
        }
    }
}
