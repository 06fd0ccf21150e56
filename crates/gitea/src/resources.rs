//! What can be read by its address: the diff of one file of a pull request, as whoever asks may see it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kit::ToolError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ContentBlock, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::json;

use crate::diff::Part;
use crate::diff::piece::{Budget, Piece};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::name::{Name, Repo};

const TEMPLATE: &str = "gitea://{owner}/{repo}/pr/{number}/diff/{file}";
/// A diff.
const DIFF: &str = "text/x-diff";
/// What a segment of an address may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What there is to read, in general; nothing is listed one by one.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(TEMPLATE, "pull-request-file-diff")
            .with_description("The diff of one file of a pull request; file is percent-encoded")
            .with_mime_type(DIFF),
    ]
}

/// Leads to the diff of this file.
pub(crate) fn link(repo: &Repo, number: u64, part: &Part) -> ContentBlock {
    let mut resource = Resource::new(address(repo, number, &part.path), &part.path).with_mime_type(DIFF);
    resource.size = Some(part.bytes);
    ContentBlock::resource_link(resource)
}

fn address(repo: &Repo, number: u64, file: &str) -> String {
    let plain = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    format!("gitea://{}/{}/pr/{number}/diff/{}", plain(&repo.owner), plain(&repo.repo), plain(file))
}

/// Reads a resource with the credential of whoever asks for it.
pub(crate) async fn read(forge: Forge, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let (repo, number, file) = parse(uri).ok_or_else(|| {
        let message = format!("there is no resource {}; there are {TEMPLATE}", kit::clip(uri));
        ErrorData::resource_not_found(message, Some(json!({"uri": uri})))
    })?;
    let contents = file_diff(&forge, &repo, number, &file, uri).await.map_err(protocol)?;
    let mut result = ReadResourceResult::new(vec![contents.with_mime_type(DIFF)]);
    result.cache_scope = Some(CacheScope::Private);
    Ok(result)
}

async fn file_diff(
    forge: &Forge,
    repo: &Repo,
    number: u64,
    file: &str,
    uri: &str,
) -> Result<ResourceContents> {
    let diff = forge.pull_diff(repo, number, false).await?;
    let part = diff.find(file).await?;
    let budget = Budget { bytes: forge.kit().text_limit(), lines: u64::MAX };
    let (piece, rest) = diff.piece(part.span(), budget).await?;
    Ok(match (piece, rest) {
        (Piece::Bytes(bytes), _) => ResourceContents::blob(BASE64_STANDARD.encode(bytes), uri),
        (Piece::Text(text), None) => ResourceContents::text(text, uri),
        (Piece::Text(text), Some(rest)) => {
            let left = rest.end - rest.offset;
            let notice = format!(
                "[{left} bytes and {} lines more: pull_request_read, method get_diff, with this file]\n",
                rest.lines
            );
            ResourceContents::text(text + &notice, uri)
        }
    })
}

/// The parts of an address, each of which is one segment.
fn parse(uri: &str) -> Option<(Repo, u64, String)> {
    let segments: Vec<&str> = uri.strip_prefix("gitea://")?.split('/').collect();
    let [owner, repo, "pr", number, "diff", file] = segments[..] else { return None };
    let plain = |text| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let name = |text| Name::try_from(plain(text)?).ok();
    Some((Repo { owner: name(owner)?, repo: name(repo)? }, number.parse().ok()?, plain(file)?))
}

/// An error of the protocol, which knows fewer kinds; ours goes along.
fn protocol(error: Error) -> ErrorData {
    let missing = error.is_missing() || matches!(error, Error::Unknown { .. });
    let error = ToolError::from(error);
    let data = serde_json::from_str(&error.to_json()).ok();
    if missing {
        ErrorData::resource_not_found(error.message, data)
    } else {
        ErrorData::internal_error(error.message, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        let name = |name: &str| Name::try_from(name.to_owned()).unwrap();
        let repo = Repo { owner: name("al ice"), repo: name("r%2F") };
        let uri = address(&repo, 7, "dir/ü b?.txt");
        assert_eq!(uri, "gitea://al%20ice/r%252F/pr/7/diff/dir%2F%C3%BC%20b%3F.txt");
        let (parsed, number, file) = parse(&uri).unwrap();
        assert_eq!((parsed.to_string(), number, &*file), (repo.to_string(), 7, "dir/ü b?.txt"));
    }

    #[test]
    fn other_addresses_are_none() {
        for uri in
            ["gitea://a/b/pr/x/diff/f", "gitea://a/../pr/1/diff/f", "gitea://a/b/pr/1/diff/f/g", "http://a"]
        {
            assert!(parse(uri).is_none(), "{uri}");
        }
    }
}
