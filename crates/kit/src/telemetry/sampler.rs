//! Which traces are recorded: OpenTelemetry's standard samplers, decided on the trace's identity alone.

use anyhow::Context as _;

use super::args::SamplerName;
use super::traceparent::Traceparent;

/// What is recorded of the traces that begin here, and whether callers decide on theirs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampler {
    follows_parent: bool,
    /// Traces below this threshold are recorded; their 63 lowest bits count, as in other languages' libraries.
    below: u64,
}

const ALL: u64 = 1 << 63;

impl Sampler {
    pub(super) fn new(name: SamplerName, share: &str) -> anyhow::Result<Self> {
        let ratio = || {
            let setting = || format!("--traces-sampler-arg (OTEL_TRACES_SAMPLER_ARG) {share:?}");
            let ratio: f64 = share.trim().parse().with_context(setting)?;
            anyhow::ensure!((0.0..=1.0).contains(&ratio), "{}: must be from 0 to 1", setting());
            let below = (ratio * ALL as f64) as u64;
            anyhow::Ok(below)
        };
        let (follows_parent, below) = match name {
            SamplerName::AlwaysOn => (false, ALL),
            SamplerName::AlwaysOff => (false, 0),
            SamplerName::Traceidratio => (false, ratio()?),
            SamplerName::ParentbasedAlwaysOn => (true, ALL),
            SamplerName::ParentbasedAlwaysOff => (true, 0),
            SamplerName::ParentbasedTraceidratio => (true, ratio()?),
        };
        Ok(Self { follows_parent, below })
    }

    #[cfg(test)]
    pub(super) fn all() -> Self {
        Self { follows_parent: false, below: ALL }
    }

    /// The place of a span with this parent: a new one, marked by what was decided.
    pub(super) fn place(self, parent: Option<Traceparent>) -> Traceparent {
        let mut place = parent.map_or_else(|| Traceparent::root(false), Traceparent::child);
        let sampled = match parent {
            Some(parent) if self.follows_parent => parent.is_sampled(),
            _ => (place.trace as u64) & (ALL - 1) < self.below,
        };
        place.flags = u8::from(sampled);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(name: SamplerName, share: &str, parent: Option<bool>) -> usize {
        let sampler = Sampler::new(name, share).expect("a sampler");
        let parent = || parent.map(Traceparent::root);
        (0..1000).filter(|_| sampler.place(parent()).is_sampled()).count()
    }

    #[test]
    fn samples_its_share() {
        use SamplerName::*;
        assert_eq!(share(AlwaysOn, "0", Some(false)), 1000);
        assert_eq!(share(AlwaysOff, "1", Some(true)), 0);
        assert_eq!(share(ParentbasedAlwaysOn, "0", None), 1000);
        assert_eq!(share(ParentbasedAlwaysOn, "0", Some(false)), 0);
        assert_eq!(share(ParentbasedAlwaysOff, "1", Some(true)), 1000);
        assert_eq!(share(ParentbasedAlwaysOff, "1", None), 0);
        assert_eq!(share(Traceidratio, "1.0", Some(false)), 1000);
        assert_eq!(share(ParentbasedTraceidratio, "0", Some(true)), 1000);
        let quarter = share(ParentbasedTraceidratio, "0.25", None);
        assert!((150..350).contains(&quarter), "{quarter}");
    }

    #[test]
    fn one_trace_is_sampled_everywhere_or_nowhere() {
        let sampler = Sampler::new(SamplerName::Traceidratio, "0.5").expect("a sampler");
        for _ in 0..100 {
            let parent = Traceparent::root(true);
            assert_eq!(sampler.place(Some(parent)).is_sampled(), sampler.place(Some(parent)).is_sampled());
        }
    }

    #[test]
    fn a_bad_share_names_its_setting() {
        for share in ["", "half", "1.5", "-0.1", "NaN"] {
            let error = Sampler::new(SamplerName::Traceidratio, share).expect_err("refused");
            assert!(format!("{error:#}").contains("OTEL_TRACES_SAMPLER_ARG"), "{error:#}");
        }
    }
}
