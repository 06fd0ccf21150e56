//! Reports of one failure beside each other, through replicas that share nothing and that die between any two steps:
//! Gitea's own API has one open issue in the end, and every occurrence once.

mod board;
mod gate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use serde_json::json;

use crate::lab;
use board::Board;
use gate::{Gate, Side};

/// Gitea's database is one file.
const AT_ONCE: usize = 4;
/// How long requests wait where their order is to be another each time.
const SCATTER: Duration = Duration::from_millis(10);

#[tokio::test]
async fn fifty_reports_over_two_replicas_are_one_issue() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    let replicas = [server(&forge, SCATTER).await?.1, server(&forge, SCATTER).await?.1];
    let board = Board::new(&forge).await?;
    let begun = Instant::now();
    let reports = (0..50).map(|id| {
        let (board, host) = (&board, &replicas[id % 2].host);
        async move { board.report(host, &id.to_string()).await }
    });
    let answers = try_join_all(reports).await?;
    let took = begun.elapsed();
    let duplicates = board.verdict(50).await?;
    let open = &board.issues().await?[0]["number"];
    assert!(answers.iter().all(|answer| answer["issue"]["number"] == *open), "{answers:#?}");
    assert!(answers.iter().any(|answer| answer["occurrences"] == 50), "{answers:#?}");
    println!("50 reports in {took:?}; {duplicates} duplicates closed");

    let before = board.writes().await?;
    for (id, replica) in [7, 8].iter().zip(&replicas) {
        let retry = board.report(&replica.host, &id.to_string()).await?;
        assert_eq!((&retry["action"], &retry["occurrences"]), (&json!("unchanged"), &json!(50)));
    }
    assert_eq!(board.writes().await?, before, "a retry changes nothing");
    Ok(())
}

/// Reports in one process wait for each other; these are in processes of their own, and do not: each has looked, and
/// found nothing, before the first one's issue is there.
#[tokio::test]
async fn reports_that_do_not_wait_for_each_other_are_one_issue() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    let replicas = try_join_all((0..8).map(|_| server(&forge, SCATTER))).await?;
    for _ in 0..2 {
        let board = Board::new(&forge).await?;
        let (arrived, released): (Vec<_>, Vec<_>) = replicas.iter().map(|(gate, _)| gate.hold()).unzip();
        let reports = replicas.iter().enumerate().map(|(id, (_, replica))| {
            let board = &board;
            async move { board.report(&replica.host, &id.to_string()).await }
        });
        let start = async {
            try_join_all(arrived).await?;
            released.into_iter().try_for_each(|go| go.send(()).ok().context("a gate is gone"))
        };
        futures::try_join!(try_join_all(reports), start)?;
        assert_eq!(board.verdict(replicas.len()).await?, replicas.len() - 1, "all but one were duplicates");
    }
    Ok(())
}

/// What there is when a report comes in.
#[derive(Debug, Clone, Copy)]
enum Scene {
    Nothing,
    Open,
    Closed,
    Duplicates,
}

impl Scene {
    const ALL: [Self; 4] = [Self::Nothing, Self::Open, Self::Closed, Self::Duplicates];

    /// Sets it up through `host`; how many occurrences it has.
    async fn set(self, board: &Board, host: &str) -> Result<usize> {
        if let Self::Nothing = self {
            return Ok(0);
        }
        let first = board.report(host, "first").await?["issue"]["number"].clone();
        match self {
            Self::Nothing | Self::Open => Ok(1),
            Self::Closed => {
                board.edit(&first, json!({"state": "closed"})).await?;
                Ok(1)
            }
            Self::Duplicates => {
                // Nobody finds the first one while its text is another.
                let text = board.get(&format!("/issues/{first}")).await?["body"].clone();
                board.edit(&first, json!({"body": "another"})).await?;
                board.report(host, "second").await?;
                board.report(host, "third").await?;
                board.edit(&first, json!({"body": text})).await?;
                Ok(3)
            }
        }
    }
}

#[tokio::test]
async fn a_replica_that_dies_between_two_steps_loses_and_doubles_nothing() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    let survivor = lab::server(&forge, &[]).await?;
    let runs = Scene::ALL.into_iter().flat_map(|scene| [(scene, Side::Before), (scene, Side::After)]);
    let deaths: Vec<(Scene, usize)> = futures::stream::iter(runs)
        .map(|(scene, side)| {
            let (forge, survivor) = (&forge, &survivor.host);
            async move {
                let mut step = 1;
                while dies_at(forge, survivor, scene, side, step)
                    .await
                    .with_context(|| format!("{scene:?}, killed {side:?} write {step}"))?
                {
                    step += 1;
                }
                anyhow::Ok((scene, step - 1))
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for (scene, steps) in deaths {
        let writes = match scene {
            Scene::Nothing | Scene::Open => 1, // the issue; the comment
            Scene::Closed => 2,                // reopened; the comment
            Scene::Duplicates => 6,            // the comment; the link, closed, two carried over, released
        };
        assert_eq!(steps, writes, "{scene:?}: so many writes to die at");
    }
    Ok(())
}

/// Reports once through a replica that dies at this write, then through the survivor, while others report the same.
/// False when there is no such write.
async fn dies_at(forge: &Arc<Forge>, survivor: &str, scene: Scene, side: Side, write: usize) -> Result<bool> {
    let board = Board::new(forge).await?;
    let there = scene.set(&board, survivor).await?;
    let (gate, victim) = server(forge, Duration::ZERO).await?;
    let host = victim.host.clone();
    gate.arm(victim, write, side);
    let outcome = board.attempt(&host, "build", "mine").await;
    let alive = gate.disarm();
    ensure!(alive.is_some() == outcome.is_ok(), "{outcome:?}");

    let retry = board.report(survivor, "mine").await?;
    ensure!(retry["occurrences"] == there + 1, "{retry}");
    board.verdict(there + 1).await?;
    let issues = board.issues().await?;
    ensure!(board.tellings(&issues[0]).await?.len() == there + 1, "told twice in {issues:#?}");

    let before = board.writes().await?;
    let again = board.report(survivor, "mine").await?;
    ensure!(again["action"] == "unchanged" && board.writes().await? == before, "{again}");
    Ok(alive.is_none())
}

#[tokio::test]
async fn a_replica_that_dies_among_others_loses_and_doubles_nothing() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    let survivors = [server(&forge, SCATTER).await?.1, server(&forge, SCATTER).await?.1];
    let writes =
        |scene| (1..=2).flat_map(move |write| [(scene, write, Side::Before), (scene, write, Side::After)]);
    let storms =
        futures::stream::iter(Scene::ALL.into_iter().flat_map(writes)).map(|(scene, write, side)| {
            let (forge, survivors) = (&forge, &survivors);
            let ended = storm(forge, survivors, scene, side, write);
            async move { ended.await.with_context(|| format!("{scene:?}, killed {side:?} write {write}")) }
        });
    let deaths: usize =
        storms.buffer_unordered(AT_ONCE).map_ok(usize::from).try_collect::<Vec<_>>().await?.iter().sum();
    assert!(deaths >= 12, "only {deaths} of 16 died");
    println!("{deaths} of 16 died");
    Ok(())
}

/// Three reports through each of three replicas at once, while a person closes what is open; one replica dies at this
/// write, if it comes to it.
async fn storm(
    forge: &Arc<Forge>,
    survivors: &[Program; 2],
    scene: Scene,
    side: Side,
    write: usize,
) -> Result<bool> {
    let board = Board::new(forge).await?;
    let there = scene.set(&board, &survivors[0].host).await?;
    let (gate, victim) = server(forge, SCATTER).await?;
    let hosts = [&survivors[0].host, &survivors[1].host, &victim.host.clone()];
    gate.arm(victim, write, side);
    let reports = (0..9).map(|id: usize| {
        let (board, name, host, other) = (&board, id.to_string(), hosts[id % 3], hosts[id % 2]);
        async move {
            match board.report(host, &name).await {
                Err(_) if id % 3 == 2 => board.report(other, &name).await, // it was the one that died
                outcome => outcome,
            }
        }
    });
    let person = async {
        for _ in 0..3 {
            tokio::time::sleep(10 * SCATTER).await;
            for issue in board.issues().await?.iter().filter(|issue| issue["state"] == "open").take(1) {
                board.edit(&issue["number"], json!({"state": "closed"})).await?;
            }
        }
        Ok(())
    };
    futures::try_join!(try_join_all(reports), person)?;
    let died = gate.disarm().is_none();
    // The person may have had the last word.
    board.report(&survivors[0].host, "last").await?;
    board.verdict_beside_a_person(there + 10).await?;
    Ok(died)
}

#[tokio::test]
async fn an_issue_lives_as_its_failure_does() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    futures::try_join!(
        each_failure_has_its_own_issue_and_nobody_elses(&forge),
        a_closed_issue_is_reopened_in_time_and_linked_to_later(&forge),
        an_issue_that_a_person_reopens_is_the_failures_again(&forge),
        what_changes_under_a_report_is_seen_before_it_ends(&forge),
    )?;
    Ok(())
}

async fn each_failure_has_its_own_issue_and_nobody_elses(forge: &Arc<Forge>) -> Result<()> {
    let server = lab::server(forge, &[]).await?;
    let (here, there) = (Board::new(forge).await?, Board::new(forge).await?);
    let title = json!({"title": "the build fails", "body": "<!-- gantry:failure build -->"});
    let bystander = here.post("/issues", title).await?;

    let first = here.report_of(&server.host, "build", "1").await?;
    let second = here.report_of(&server.host, "deploy", "1").await?;
    let elsewhere = there.report_of(&server.host, "build", "1").await?;
    for answer in [&first, &second, &elsewhere] {
        assert_eq!((&answer["action"], &answer["occurrences"]), (&json!("created"), &json!(1)), "{answer}");
    }
    assert_eq!(here.issues().await?.len(), 3);
    assert_eq!(here.get(&format!("/issues/{}", bystander["number"])).await?, bystander);

    // A person quotes one issue in another, and writes into a third.
    let number = &first["issue"]["number"];
    let text = here.get(&format!("/issues/{number}")).await?["body"].as_str().context("body")?.to_owned();
    let quoting = format!("see\n```\n{text}\n```\n> {text}");
    here.post("/issues", json!({"title": "again", "body": quoting})).await?;
    here.edit(number, json!({"body": format!("We look into it.\n\n{text}\n\nDone?")})).await?;
    let again = here.report_of(&server.host, "build", "2").await?;
    assert_eq!((&again["issue"]["number"], &again["action"]), (number, &json!("commented")), "{again}");
    Ok(())
}

async fn a_closed_issue_is_reopened_in_time_and_linked_to_later(forge: &Arc<Forge>) -> Result<()> {
    let (patient, strict) =
        (lab::server(forge, &[]).await?, lab::server(forge, &["--reopen-days", "0"]).await?);
    let board = Board::new(forge).await?;
    let number = board.report(&patient.host, "1").await?["issue"]["number"].clone();
    let close = json!({"state": "closed"});
    board.edit(&number, close.clone()).await?;

    let retry = board.report(&patient.host, "1").await?;
    let told = (&retry["action"], &retry["issue"]["state"]);
    assert_eq!(told, (&json!("unchanged"), &json!("closed")), "what a person closed later stays so");
    let again = board.report(&patient.host, "2").await?;
    assert_eq!((&again["action"], &again["issue"]["number"]), (&json!("reopened"), &number), "{again}");
    assert_eq!((&again["occurrences"], &again["issue"]["state"]), (&json!(2), &json!("open")), "{again}");

    board.edit(&number, close).await?;
    let late = board.report(&strict.host, "3").await?;
    assert_eq!((&late["action"], &late["occurrences"]), (&json!("created"), &json!(1)), "{late}");
    let issues = board.issues().await?;
    assert_eq!((issues.len(), &issues[0]["state"]), (2, &json!("closed")));
    assert!(
        issues[1]["body"].as_str().is_some_and(|body| body.contains(&format!("#{number} "))),
        "{issues:#?}"
    );
    Ok(())
}

async fn an_issue_that_a_person_reopens_is_the_failures_again(forge: &Arc<Forge>) -> Result<()> {
    let server = lab::server(forge, &[]).await?;
    let board = Board::new(forge).await?;
    let there = Scene::Duplicates.set(&board, &server.host).await?;
    let settled = board.report(&server.host, "4").await?;
    let duplicate = settled["duplicates_closed"][0].clone();
    assert_eq!(settled["occurrences"], there + 1, "{settled}");

    board.edit(&duplicate, json!({"state": "open"})).await?;
    let again = board.report(&server.host, "5").await?;
    assert_eq!(again["duplicates_closed"], json!([duplicate]), "{again}");
    assert_eq!(board.verdict(there + 2).await?, 1);

    // With the first one closed, the other is no way to begin anew.
    board.edit(&settled["issue"]["number"], json!({"state": "closed"})).await?;
    let again = board.report(&server.host, "6").await?;
    assert_eq!(
        (&again["action"], &again["issue"]["number"]),
        (&json!("reopened"), &settled["issue"]["number"])
    );
    assert_eq!(board.verdict(there + 3).await?, 1);
    Ok(())
}

async fn what_changes_under_a_report_is_seen_before_it_ends(forge: &Arc<Forge>) -> Result<()> {
    let swift = lab::server(forge, &[]).await?;
    let (gate, held) = server(forge, Duration::ZERO).await?;

    // A person closes the issue while the comment is on its way.
    let board = Board::new(forge).await?;
    let number = board.report(&swift.host, "1").await?["issue"]["number"].clone();
    let (arrived, release) = gate.hold();
    let report = board.report(&held.host, "2");
    let person = async {
        arrived.await?;
        board.edit(&number, json!({"state": "closed"})).await?;
        release.send(()).ok().context("the gate is gone")
    };
    let (report, ()) = futures::try_join!(report, person)?;
    assert_eq!(
        (&report["action"], &report["issue"]["state"]),
        (&json!("reopened"), &json!("open")),
        "{report}"
    );
    assert_eq!(board.verdict(2).await?, 0);

    // The issue is found to be a duplicate, and settled, while the comment is on its way.
    let board = Board::new(forge).await?;
    let first = board.report(&swift.host, "1").await?["issue"]["number"].clone();
    let text = board.get(&format!("/issues/{first}")).await?["body"].clone();
    board.edit(&first, json!({"body": "another"})).await?;
    board.report(&swift.host, "2").await?;
    let (arrived, release) = gate.hold();
    let report = board.report(&held.host, "3");
    let others = async {
        arrived.await?;
        board.edit(&first, json!({"body": text})).await?;
        board.report(&swift.host, "4").await?;
        board.verdict(3).await?;
        release.send(()).ok().context("the gate is gone")
    };
    let (report, ()) = futures::try_join!(report, others)?;
    assert_eq!((&report["issue"]["number"], &report["occurrences"]), (&first, &json!(4)), "{report}");
    assert_eq!(board.verdict(4).await?, 1);
    Ok(())
}

/// A server behind a gate at which requests wait up to `longest`.
async fn server(forge: &Forge, longest: Duration) -> Result<(Gate, Program)> {
    let gate = Gate::before(forge.url.trim_start_matches("http://"), longest).await?;
    let token = &forge.user("alice").token;
    let args = ["--gitea-host", &gate.url, "--gitea-access-token", token];
    let server = Program::start("gantry-gitea", &args).await?;
    Ok((gate, server))
}
