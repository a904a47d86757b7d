//! The shell: lines are commands, and events are shown as they come.

mod complete;
mod editor;
mod history;
mod line;
mod news;

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use indicatif::{ProgressBar, ProgressDrawTarget};

use self::{
    editor::{LineEditor, Typed, prompt},
    line::{Line, LineCommand},
    news::NewsPrinter,
};
use super::{
    command::{ClientCommand, Context},
    connection::Connection,
    failure::CommandError,
    interrupt::Interrupt,
    live::{Life, Live},
    options::ClientOptions,
    outcome::Outcome,
    output::{self, Form},
    watching::Watching,
};
use crate::signals;

/// Type commands at a prompt, or have them read from standard input.
///
/// All of the client's commands are there, in the same form, and the spellings that upstream's
/// shell has for them. Tab completes commands, options and paths; events of watches and changes of
/// the session are shown as they come. Lines from standard input are run one after the other,
/// whether they succeed or not; the exit status is that of the first which failed.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShellArguments {
    /// Where typed lines are kept; one that begins with a space is not, nor is an addauth.
    ///
    /// Otherwise it is zk/history in the user's directory for the state of programs. An empty name
    /// keeps nothing.
    #[arg(long, env = "ZK_HISTORY", value_name = "FILE")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    history: Option<PathBuf>,
}

/// Runs the shell until it is told to quit.
pub(crate) fn run(options: &ClientOptions, arguments: &ShellArguments) -> ExitCode {
    let is_typed = io::stdin().is_terminal() && io::stdout().is_terminal();
    let result = if is_typed { talk(options, arguments) } else { follow(options) };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            output::print_error(&error, options.json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// With somebody at a terminal. What fails is shown, and forgotten.
fn talk(options: &ClientOptions, arguments: &ShellArguments) -> Result<u8, CommandError> {
    let form = Form { line_end: true, ..Form::of_stdout(options.json) };
    let mut editor = LineEditor::new(form, arguments.history.as_deref())?;
    let mut print = editor.printer()?;
    let news = NewsPrinter::start(move |notice| print(output::notice_line(notice, form)))?;
    let session = Arc::new(Live::connect(options, Life::Shell, news.listener())?);
    editor.complete_from(Arc::clone(&session) as Arc<dyn Connection + Send>);
    let interrupt = catch()?;
    let shell = Shell { options, form, news: &news, session: &*session, interrupt: &interrupt };
    loop {
        let prompt = prompt(&options.server, session.is_connected());
        let line = match editor.read(&prompt)? {
            Typed::Line(line) => line,
            Typed::Interrupted => continue,
            Typed::End => break,
        };
        match shell.run_line(&line) {
            Ok(Next::Line) => {}
            Ok(Next::Quit) => break,
            Err(error) => output::print_error(&error, options.json),
        }
    }
    session.close();
    // The last owner waits until everything has been told.
    drop((editor, session));
    news.finish();
    Ok(0)
}

/// With a script.
fn follow(options: &ClientOptions) -> Result<u8, CommandError> {
    let form = Form { line_end: true, ..Form::of_stdout(options.json) };
    let news = NewsPrinter::start(move |notice| output::print_notice(notice, form))?;
    let session = Live::connect(options, Life::Shell, news.listener())?;
    let interrupt = Interrupt::default();
    let shell = Shell { options, form, news: &news, session: &session, interrupt: &interrupt };
    let mut status = 0;
    for line in io::stdin().lock().lines() {
        let unreadable = |source| CommandError::System { what: "standard input".into(), source };
        match line.map_err(unreadable).and_then(|line| shell.run_line(&line)) {
            Ok(Next::Line) => {}
            Ok(Next::Quit) => break,
            Err(error) if error.is_broken_pipe() => break,
            Err(error) => {
                output::print_error(&error, options.json);
                if status == 0 {
                    status = error.exit_code();
                }
            }
        }
    }
    session.close();
    // That waits until everything has been told.
    drop(session);
    news.finish();
    Ok(status)
}

/// Ctrl-C stops the running command, and a second one the shell.
fn catch() -> Result<Interrupt, CommandError> {
    let interrupt = Interrupt::default();
    let system = |source| CommandError::System { what: "signals".into(), source };
    signals::on_interrupt(interrupt.flag()).map_err(system)?;
    Ok(interrupt)
}

/// Where lines run.
struct Shell<'a> {
    options: &'a ClientOptions,
    form: Form,
    news: &'a NewsPrinter,
    session: &'a dyn Connection,
    interrupt: &'a Interrupt,
}

/// What to do behind a line.
enum Next {
    Line,
    Quit,
}

impl Shell<'_> {
    fn run_line(&self, line: &str) -> Result<Next, CommandError> {
        let Some(Line { json, command }) = Line::parse(line, self.form)? else {
            return Ok(Next::Line);
        };
        self.interrupt.clear();
        let outcome = match command {
            LineCommand::Quit => return Ok(Next::Quit),
            LineCommand::Printwatches { state } => {
                let is_on = match state {
                    Some(state) => self.news.show(state.is_on()),
                    None => self.news.is_shown(),
                };
                Outcome::Switch { name: "printwatches", is_on }
            }
            LineCommand::Client(ClientCommand::Word(word)) => {
                let servers = self.options.servers()?;
                word.run(&self.options.server, &servers.hosts, self.options.timeout)?
            }
            LineCommand::Client(ClientCommand::Session(command)) => {
                command.run(&mut self.context(&progress()))?
            }
            LineCommand::Removewatches(command) => command.run(&self.context(&progress()))?,
            LineCommand::AddWatch(command) => {
                command.watch().run(&mut self.context(&progress()))?
            }
        };
        output::print(&outcome, Form { json: self.form.json || json, ..self.form })?;
        Ok(Next::Line)
    }

    fn context<'a>(&'a self, progress: &'a ProgressBar) -> Context<'a> {
        Context {
            connection: self.session,
            interrupt: self.interrupt,
            watching: Watching::InBackground,
            progress,
        }
    }
}

fn progress() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
}
