//! One command, and the end.

use std::{
    io,
    process::ExitCode,
    sync::mpsc::{Receiver, SyncSender},
};

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{
    command::{ClientCommand, Context, SessionCommand},
    connection::Connection,
    failure::CommandError,
    interrupt::Interrupt,
    live::{Life, Live},
    options::ClientOptions,
    output::{self, Form},
    watching::{News, Watching, queue},
};
use crate::signals;

/// Runs a command and says by the exit status how it went.
pub(crate) fn run(options: &ClientOptions, command: &ClientCommand) -> ExitCode {
    let form = Form::of_stdout(options.json);
    let result = match command {
        ClientCommand::Session(command) => run_in_session(options, command, form),
        ClientCommand::Word(word) => options
            .servers()
            .and_then(|servers| word.run(&options.server, &servers.hosts, options.timeout))
            .and_then(|outcome| output::print(&outcome, form)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error, options.json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run_in_session(
    options: &ClientOptions,
    command: &SessionCommand,
    form: Form,
) -> Result<(), CommandError> {
    let (sender, news) = queue();
    let interrupt = Interrupt::default();
    let notices = sender.clone();
    let session = Live::connect(options, Life::OneCommand, move |notice| {
        // Only at the end is there nobody who reads.
        let _ = notices.send(News::Notice(notice));
    })?;
    if command.takes_long() {
        stop_by_signal(&interrupt, sender)?;
    }
    let result = run_and_print(&session, command, &interrupt, &news, form);
    drop(news);
    session.close();
    result
}

fn run_and_print(
    session: &dyn Connection,
    command: &SessionCommand,
    interrupt: &Interrupt,
    news: &Receiver<News>,
    form: Form,
) -> Result<(), CommandError> {
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let mut context = Context {
        connection: session,
        interrupt,
        watching: Watching::ByCommand {
            news,
            show: &mut |notice| output::print_notice(notice, form),
        },
        progress: &progress,
    };
    let outcome = command.run(&mut context)?;
    output::print(&outcome, form)?;
    if command.holds() {
        context.follow(None)?;
    }
    Ok(())
}

/// The first signal asks the command to stop, which takes until its next answer; the second ends
/// the process.
fn stop_by_signal(interrupt: &Interrupt, sender: SyncSender<News>) -> Result<(), CommandError> {
    let interrupt = interrupt.clone();
    let stop = move || {
        interrupt.set();
        // Where the queue is full nobody waits for it.
        let _ = sender.try_send(News::Interrupted);
    };
    let system = |source: io::Error| CommandError::System { what: "signals".into(), source };
    signals::on_stop(stop).map_err(system)
}
