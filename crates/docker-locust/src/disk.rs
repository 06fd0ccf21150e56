//! Disk space as far as this server sees it: of the engine's own folder where that is on this machine, else of
//! its own file system.

use std::path::Path;

/// Below this share of free space the check fails.
const LEAST_PERCENT: u64 = 5;

/// How much is free, in words; an error when it is too little.
pub(crate) fn look(engine_root: Option<&str>) -> Result<String, String> {
    let path = engine_root.map(Path::new).filter(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(path).map_err(|error| format!("{}: {error}", path.display()))?;
    judge(&path.display().to_string(), stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize)
}

fn judge(path: &str, free: u64, total: u64) -> Result<String, String> {
    let percent = (free * 100).checked_div(total).unwrap_or(100);
    let message = format!("{:.1} GiB ({percent} %) free on {path}", free as f64 / f64::from(1 << 30));
    if percent < LEAST_PERCENT { Err(message) } else { Ok(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_a_finding() {
        assert_eq!(judge("/", 1 << 30, 10 << 30).unwrap(), "1.0 GiB (10 %) free on /");
        assert_eq!(judge("/data", 1 << 30, 100 << 30).unwrap_err(), "1.0 GiB (1 %) free on /data");
        assert!(judge("/proc", 0, 0).is_ok());
    }

    #[test]
    fn a_folder_of_another_machine_is_not_asked() {
        assert!(look(Some("/nonexistent/docker")).unwrap_or_else(|found| found).ends_with("free on /"));
    }
}
