//! How a log line looks: as JSON for collectors, as text for people, and in both what call it belongs to.

use std::fmt;

use serde::de::IgnoredAny;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::telemetry::Scope;

/// Writes an event for people: as the library does, and then what call it belongs to.
pub(super) struct Text(Format);

impl Text {
    pub(super) fn new() -> Self {
        Self(tracing_subscriber::fmt::format().with_target(false))
    }
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        let format = self.0.clone().with_ansi(writer.has_ansi_escapes());
        format.format_event(context, Writer::new(&mut line), event)?;
        let call = Scope::read(|scope| {
            let trace_id = scope.trace_id();
            let tool = scope.tool.as_deref().map(|tool| format!(" tool={tool}"));
            let trace = trace_id.map(|id| format!(" trace_id={id}"));
            format!("{} principal={}{}", tool.unwrap_or_default(), scope.principal, trace.unwrap_or_default())
        });
        writeln!(writer, "{}{}", line.trim_end_matches('\n'), call.unwrap_or_default())
    }
}

/// Writes an event as one JSON object, straight into the line.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Line { text: String::with_capacity(512), named: vec![] };
        line.put("timestamp", &crate::health::now());
        line.put("level", metadata.level().as_str());
        line.put("logger", metadata.target());
        event.record(&mut line);
        line.put("module", metadata.module_path().unwrap_or_default());
        if let Some(span) = context.lookup_current() {
            line.put("function", span.name());
        }
        line.put("line", &metadata.line());
        Scope::read(|scope| line.put_call(scope));
        writeln!(writer, "{{{}}}", line.text)
    }
}

/// The members of the object so far.
struct Line {
    text: String,
    /// Those that the event itself or its span brought, and the call must not repeat.
    named: Vec<&'static str>,
}

impl Line {
    /// What the running code does, and for whom; an event that says it otherwise knows better.
    fn put_call(&mut self, scope: &Scope) {
        let trace_id = scope.trace_id();
        let members = [
            ("function", Some(scope.tool.as_deref().unwrap_or(scope.function))),
            ("tool", scope.tool.as_deref()),
            ("principal", Some(&*scope.principal)),
            ("trace_id", trace_id.as_deref()),
        ];
        for (name, value) in members {
            if let Some(value) = value.filter(|_| !self.named.contains(&name)) {
                self.put(name, value);
            }
        }
    }

    fn put<T: serde::Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        match serde_json::to_string(value) {
            Ok(value) => self.put_json(name, &value),
            Err(_) => self.put_json(name, "\"unprintable\""),
        }
    }

    /// Names of fields are Rust's and need no escape.
    fn put_json(&mut self, name: &'static str, value: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.extend(["\"", name, "\":", value]);
        self.named.push(name);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // A field named `…_json` holds JSON text and is written as the value it is.
        match field.name().strip_suffix("_json") {
            Some(name) if serde_json::from_str::<IgnoredAny>(value).is_ok() => self.put_json(name, value),
            _ => self.put(field.name(), value),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::format::DefaultFields;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("sink").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `work` runs.
    fn written<E>(format: E, work: impl FnOnce()) -> String
    where
        E: for<'a> FormatEvent<tracing_subscriber::Registry, DefaultFields> + Send + Sync + 'static,
    {
        let sink = Sink::default();
        let writer = sink.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false);
        let lines = lines.with_writer(move || writer.clone()).event_format(format);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        let bytes = sink.0.lock().expect("sink").clone();
        String::from_utf8(bytes).expect("text")
    }

    /// The same as the JSON objects they are.
    pub(crate) fn objects(work: impl FnOnce()) -> Vec<serde_json::Value> {
        written(Json, work).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[test]
    fn a_line_says_what_call_it_belongs_to() {
        let scope =
            Scope::of_test("pods_list", "ann", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let log = || {
            scope.enter(|| {
                tracing::info!("inside");
                tracing::info_span!("step").in_scope(|| tracing::info!(tool = "other", "deeper"));
            });
            tracing::info!("outside");
        };
        let lines = objects(log);
        let expected = serde_json::json!({"tool": "pods_list", "principal": "ann",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "function": "pods_list"});
        for (name, value) in expected.as_object().expect("object") {
            assert_eq!(&lines[0][name], value, "{lines:?}");
            assert!(lines[2].get(name).is_none(), "{lines:?}");
        }
        assert_eq!(
            (&lines[1]["function"], &lines[1]["tool"]),
            (&"step".into(), &"other".into()),
            "{lines:?}"
        );
        let text = written(Json, log);
        assert_eq!(text.lines().nth(1).map(|line| line.matches("\"tool\"").count()), Some(1), "{text}");

        let text = written(Text::new(), log);
        let call = "inside tool=pods_list principal=ann trace_id=4bf92f3577b34da6a3ce929d0e0e4736";
        assert!(text.lines().next().is_some_and(|line| line.ends_with(call)), "{text}");
        assert!(text.ends_with("outside\n"), "{text}");
    }

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let lines = objects(|| {
            tracing::info!(
                tool = "x\"\n\u{1b}[31m",
                duration_ms = f64::NAN,
                arguments_json = r#"{"a": [1]}"#,
                "said \"{}\"",
                "\n"
            );
            tracing::warn!(arguments_json = "no json", count = 3u64, "second");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0]["arguments"]["a"][0], 1);
        assert_eq!(lines[0]["message"], "said \"\n\"");
        assert_eq!((&lines[1]["arguments_json"], &lines[1]["count"]), (&"no json".into(), &3.into()));
    }
}
