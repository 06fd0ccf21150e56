//! Where telemetry goes and as whom: what the settings come to, decided once at start.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use percent_encoding::percent_decode_str;
use url::Url;

use super::args::{Exporter, Protocol, TelemetryArgs, Temporality};

const NEW_RELIC_US: &str = "https://otlp.nr-data.net";
const NEW_RELIC_EU: &str = "https://otlp.eu01.nr-data.net";
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// What telemetry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    /// Where OTLP has it (OTLP specification, OTLP/HTTP Request and OTLP/gRPC).
    fn path(self, protocol: Protocol) -> &'static str {
        match (self, protocol) {
            (Self::Traces, Protocol::Http) => "v1/traces",
            (Self::Metrics, Protocol::Http) => "v1/metrics",
            (Self::Traces, Protocol::Grpc) => "opentelemetry.proto.collector.trace.v1.TraceService/Export",
            (Self::Metrics, Protocol::Grpc) => {
                "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
            }
        }
    }
}

/// A place that takes a signal.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) protocol: Protocol,
    pub(super) headers: Headers,
    pub(super) timeout: Duration,
}

/// What each export says besides its body; secret.
#[derive(Clone, Default)]
pub(super) struct Headers {
    fixed: HeaderMap,
    /// Files that hold more, and how to read them.
    files: Vec<(PathBuf, Parse)>,
}

type Parse = fn(&str) -> anyhow::Result<HeaderMap>;

impl Headers {
    /// Read anew, as a secret may have been replaced.
    pub(super) fn read(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (file, parse) in &self.files {
            let read = || parse(&std::fs::read_to_string(file)?);
            headers.extend(read().with_context(|| file.display().to_string())?);
        }
        headers.extend(self.fixed.clone());
        Ok(headers)
    }
}

impl TelemetryArgs {
    /// Where a signal goes, if anywhere.
    pub(super) fn target(&self, signal: Signal) -> anyhow::Result<Option<Target>> {
        let (own, exporter) = match signal {
            Signal::Traces => (&self.otlp_traces_endpoint, self.traces_exporter),
            Signal::Metrics => (&self.otlp_metrics_endpoint, self.metrics_exporter),
        };
        if self.otel_sdk_disabled || exporter == Exporter::None {
            return Ok(None);
        }
        let new_relic = self.new_relic_key()?;
        let (base, whole) = match (own, &self.otlp_endpoint, &new_relic) {
            (Some(url), _, _) => (url.clone(), true),
            (None, Some(url), _) => (url.clone(), false),
            (None, None, Some(key)) => (Url::parse(new_relic_endpoint(key))?, false),
            (None, None, None) => return Ok(None),
        };
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            bail!("the OTLP endpoint of {} must be an http:// or https:// URL", signal.name());
        }
        // gRPC has no paths of its own, whichever setting named the endpoint.
        let url = match whole && self.otlp_protocol == Protocol::Http {
            true => base,
            false => below(base, signal.path(self.otlp_protocol)),
        };
        Ok(Some(Target {
            url,
            protocol: self.otlp_protocol,
            headers: self.headers()?,
            timeout: self.otlp_timeout,
        }))
    }

    fn new_relic_key(&self) -> anyhow::Result<Option<String>> {
        match (&self.new_relic_license_key, &self.new_relic_license_key_file) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, Some(file)) => {
                let what = || {
                    format!("--new-relic-license-key-file (NEW_RELIC_LICENSE_KEY_FILE) {}", file.display())
                };
                let key = std::fs::read_to_string(file).with_context(what)?;
                Ok(Some(key.trim().to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    /// Those that the operator spelled out win over New Relic's key.
    fn headers(&self) -> anyhow::Result<Headers> {
        let mut headers = Headers::default();
        if let Some(key) = &self.new_relic_license_key {
            headers.fixed = key_header(key).context("--new-relic-license-key (NEW_RELIC_LICENSE_KEY)")?;
        }
        if let Some(text) = &self.otlp_headers {
            headers.fixed.extend(parse_headers(text).context("--otlp-headers (OTEL_EXPORTER_OTLP_HEADERS)")?);
        }
        if let Some(file) = &self.new_relic_license_key_file {
            headers.files.push((file.clone(), key_header));
        }
        if let Some(file) = &self.otlp_headers_file {
            headers.files.push((file.clone(), parse_headers));
        }
        headers.read()?;
        Ok(headers)
    }

    pub(super) fn delta(&self) -> bool {
        let new_relic = self.new_relic_license_key.is_some() || self.new_relic_license_key_file.is_some();
        match self.otlp_temporality {
            None => new_relic,
            // Both are the same for histograms and for sums that are observed.
            Some(temporality) => temporality != Temporality::Cumulative,
        }
    }

    /// Who speaks. The more particular setting wins: `OTEL_SERVICE_NAME`, `NEW_RELIC_APP_NAME`, the resource's own.
    pub(super) fn resource(&self, slug: &str) -> anyhow::Result<Resource> {
        let text = self.otel_resource_attributes.as_deref().unwrap_or_default();
        let attributes = pairs(text).context("--otel-resource-attributes (OTEL_RESOURCE_ATTRIBUTES)")?;
        let own = [
            ("service.name", slug.to_owned()),
            ("service.version", crate::VERSION.to_owned()),
            ("service.instance.id", uuid::Uuid::new_v4().to_string()),
        ];
        let name = self.otel_service_name.clone().or_else(|| self.new_relic_app_name.clone());
        let name = name.map(|name| ("service.name".to_owned(), name));
        let sdk = [("telemetry.sdk.name", "opentelemetry"), ("telemetry.sdk.language", "rust")];
        // Of two of one name, the later holds.
        let all = own
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(attributes)
            .chain(name)
            .map(|(name, value)| KeyValue::new(name, value))
            .chain(sdk.map(|(name, value)| KeyValue::new(name, value)));
        Ok(Resource::builder_empty().with_attributes(all).build())
    }
}

fn new_relic_endpoint(key: &str) -> &'static str {
    if key.starts_with("eu") { NEW_RELIC_EU } else { NEW_RELIC_US }
}

fn key_header(key: &str) -> anyhow::Result<HeaderMap> {
    Ok(HeaderMap::from_iter([(API_KEY, secret(key.trim())?)]))
}

fn parse_headers(text: &str) -> anyhow::Result<HeaderMap> {
    pairs(text.trim())?
        .into_iter()
        .map(|(name, value)| {
            let header = HeaderName::from_bytes(name.as_bytes());
            Ok((header.map_err(|_| anyhow::anyhow!("a name that no header can have"))?, secret(&value)?))
        })
        .collect()
}

fn secret(value: &str) -> anyhow::Result<HeaderValue> {
    // The error would be the same for all values and holds none.
    let mut value = HeaderValue::from_str(value)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `name=value,…`, percent-encoded. What cannot be read is not repeated: it may be secret.
fn pairs(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    members
        .enumerate()
        .map(|(index, member)| {
            let at = || format!("member {} is not NAME=VALUE in percent-encoded UTF-8", index + 1);
            let (name, value) = member.split_once('=').with_context(at)?;
            let decode = |text: &str| percent_decode_str(text.trim()).decode_utf8().map(String::from);
            let (name, value) = (decode(name).with_context(at)?, decode(value).with_context(at)?);
            anyhow::ensure!(!name.is_empty(), at());
            Ok((name, value))
        })
        .collect()
}

fn below(mut base: Url, path: &str) -> Url {
    let path = format!("{}/{path}", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        telemetry: TelemetryArgs,
    }

    fn args(words: &[&str]) -> TelemetryArgs {
        Program::try_parse_from([&["test"], words].concat()).expect("settings").telemetry
    }

    fn urls(words: &[&str]) -> [Option<String>; 2] {
        [Signal::Traces, Signal::Metrics]
            .map(|signal| args(words).target(signal).expect("legal").map(|target| target.url.to_string()))
    }

    fn some(traces: &str, metrics: &str) -> [Option<String>; 2] {
        [Some(traces.to_owned()), Some(metrics.to_owned())]
    }

    #[test]
    fn nothing_goes_anywhere_unasked() {
        assert_eq!(urls(&[]), [None, None]);
        let endpoint = ["--otlp-endpoint", "http://localhost:4318"];
        assert_eq!(urls(&[&endpoint[..], &["--otel-sdk-disabled"]].concat()), [None, None]);
        let [traces, metrics] = urls(&[&endpoint[..], &["--traces-exporter", "none"]].concat());
        assert_eq!((traces, metrics.as_deref()), (None, Some("http://localhost:4318/v1/metrics")));
    }

    #[test]
    fn endpoints_are_as_the_specification_has_them() {
        assert_eq!(
            urls(&["--otlp-endpoint", "http://localhost:4318/base/"]),
            some("http://localhost:4318/base/v1/traces", "http://localhost:4318/base/v1/metrics")
        );
        assert_eq!(
            urls(&["--otlp-endpoint", "http://one:1", "--otlp-traces-endpoint", "http://two:2/as/is"]),
            some("http://two:2/as/is", "http://one:1/v1/metrics")
        );
        assert_eq!(
            urls(&["--otlp-endpoint", "http://localhost:4317", "--otlp-protocol", "grpc"]),
            some(
                "http://localhost:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                "http://localhost:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
            )
        );
    }

    #[test]
    fn a_key_of_new_relic_is_enough() {
        let us = some("https://otlp.nr-data.net/v1/traces", "https://otlp.nr-data.net/v1/metrics");
        let eu = some("https://otlp.eu01.nr-data.net/v1/traces", "https://otlp.eu01.nr-data.net/v1/metrics");
        assert_eq!(urls(&["--new-relic-license-key", "0123NRAL"]), us);
        assert_eq!(urls(&["--new-relic-license-key", "eu01xxNRAL"]), eu);
        let folder = std::env::temp_dir().join(format!("gantry-key-{}", std::process::id()));
        std::fs::write(&folder, "eu01xxNRAL\n").expect("a file");
        let words = ["--new-relic-license-key-file", folder.to_str().expect("path")];
        assert_eq!(urls(&words), eu);
        let args = args(&words);
        assert!(args.delta());
        let headers = args.headers().expect("headers");
        assert_eq!(headers.read().expect("read")["api-key"], "eu01xxNRAL");
        std::fs::write(&folder, "eu01yyNRAL\n").expect("a file");
        assert_eq!(headers.read().expect("read again")["api-key"], "eu01yyNRAL");
        std::fs::remove_file(folder).expect("removed");
    }

    #[test]
    fn names_have_an_order() {
        let name = |words: &[&str]| {
            let resource = args(words).resource("docker-locust").expect("a resource");
            resource.get(&"service.name".into()).expect("a name").to_string()
        };
        let attributes = ["--otel-resource-attributes", "service.name=c%20d,team=ops"];
        let app = ["--new-relic-app-name", "b"];
        assert_eq!(name(&[]), "docker-locust");
        assert_eq!(name(&attributes), "c d");
        assert_eq!(name(&[&attributes[..], &app].concat()), "b");
        assert_eq!(name(&[&attributes[..], &app, &["--otel-service-name", "a"]].concat()), "a");
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (words, setting) in [
            (["--otlp-headers", "hunter2"], "OTEL_EXPORTER_OTLP_HEADERS"),
            (["--otlp-headers", "a b=hunter2"], "OTEL_EXPORTER_OTLP_HEADERS"),
            (["--otlp-headers", "a=hunter2%0a"], "OTEL_EXPORTER_OTLP_HEADERS"),
            (["--new-relic-license-key", "hunter2\n1"], "NEW_RELIC_LICENSE_KEY"),
        ] {
            let words = [&words[..], &["--otlp-endpoint", "http://h:1"]].concat();
            let error = args(&words).target(Signal::Traces).err().expect("refused");
            let text = format!("{error:#}");
            assert!(text.contains(setting) && !text.contains("hunter2"), "{text}");
        }
        let headers = parse_headers("api-key=a%20b, X-Team=ops").expect("headers");
        assert_eq!(
            (&headers["api-key"], &headers["x-team"]),
            (&"a b".parse().expect("value"), &"ops".parse().expect("value"))
        );
        assert!(!format!("{headers:?}").contains("a b"));
        let error = args(&["--otel-resource-attributes", "x"]).resource("s").expect_err("refused");
        assert!(format!("{error:#}").contains("OTEL_RESOURCE_ATTRIBUTES"));
        assert!(args(&["--otlp-endpoint", "ftp://h"]).target(Signal::Metrics).is_err());
    }
}
