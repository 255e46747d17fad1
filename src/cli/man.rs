//! `man` and `completions`: generated from the definitions that read the arguments.

use clap::{Arg, Command, CommandFactory, builder::StyledStr};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};

use super::{Exit, answer, arguments::Cli, formats};
use crate::Result;

mod text;

/// Prints a completion script.
///
/// # Errors
/// `Io` when stdout refuses.
pub(super) fn completions(shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "plainiso", &mut script);
    answer(|out| out.write_all(&script))
}

/// Prints the manual page, section 1.
///
/// # Errors
/// `Io` when stdout refuses.
pub(super) fn page() -> Result<Exit> {
    let mut cli = Cli::command();
    cli.build();
    answer(|out| {
        let head = Man::new(cli.clone()).section("1").manual("User commands");
        head.render_title(out)?;
        head.render_name_section(out)?;
        synopsis(&cli).to_writer(out)?;
        head.render_description_section(out)?;
        commands(&cli).to_writer(out)?;
        formats_section().to_writer(out)?;
        text::sections().to_writer(out)
    })
}

fn listed(cli: &Command) -> impl Iterator<Item = &Command> {
    cli.get_subcommands()
        .filter(|command| command.get_name() != "help")
}

fn synopsis(cli: &Command) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["SYNOPSIS"]);
    let usages = listed(cli).map(|command| {
        let usage = command.clone().render_usage().to_string();
        usage.trim_start_matches("Usage: ").to_owned()
    });
    let short = "plainiso SOURCE MOUNTPOINT [-o OPTION[,...]]".to_owned();
    let helper = "mount.plainiso SOURCE MOUNTPOINT [-sfnv] [-o OPTION[,...]]".to_owned();
    for usage in usages.chain([short, helper]) {
        page.text([roman(usage)]).control("br", []);
    }
    page
}

/// Each command with its arguments.
fn commands(cli: &Command) -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["COMMANDS"]);
    for command in listed(cli) {
        page.control("SS", [format!("plainiso {}", command.get_name()).as_str()]);
        if let Some(about) = command.get_about() {
            page.text([roman(sentence(Some(about)))]);
        }
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            page.control("TP", []).text(heading(arg));
            page.text([roman(sentence(arg.get_long_help().or(arg.get_help())))]);
        }
    }
    page
}

/// Help on the terminal leaves out the last dot, a page of sentences does not.
fn sentence(help: Option<&StyledStr>) -> String {
    help.map(|help| format!("{help}.")).unwrap_or_default()
}

/// `-o, --long VALUE`, or a positional argument's name.
fn heading(arg: &Arg) -> Vec<Inline> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    let mut heading = Vec::new();
    if !flags.is_empty() {
        heading.push(bold(flags.join(", ")));
    }
    let values = arg.get_num_args().unwrap_or_else(|| 1.into());
    for name in arg.get_value_names().unwrap_or_default() {
        let name = italic(name.to_string());
        match () {
            () if !values.takes_values() => {}
            () if values.min_values() == 0 => heading.extend([roman("[="), name, roman("]")]),
            () if heading.is_empty() => heading.push(name),
            () => heading.extend([roman(" "), name]),
        }
    }
    heading
}

fn formats_section() -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["FORMATS"]);
    for (name, title) in formats::names_and_titles() {
        page.control("TP", [])
            .text([bold(name)])
            .text([roman(title)]);
    }
    page
}
