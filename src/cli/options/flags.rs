//! The mount options as flags of their own.

use clap::{Arg, ArgAction, ArgMatches};

use super::table::{Set, WORDS, Word};

/// The options that were given as flags, as words of a list.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct OptionFlags(Vec<String>);

impl OptionFlags {
    pub(super) fn words(&self) -> &[String] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn of(word: &str) -> Self {
        Self(vec![word.into()])
    }
}

impl clap::Args for OptionFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
            .next_help_heading("Mount options, also as words of -o")
            .args(WORDS.iter().map(flag))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

fn flag(word: &Word) -> Arg {
    let arg = Arg::new(word.name)
        .long(word.name)
        .help(word.help.trim_end_matches('.'));
    match word.value_name() {
        Some(value) => arg.value_name(value).action(ArgAction::Set),
        None => arg.action(ArgAction::SetTrue),
    }
}

impl clap::FromArgMatches for OptionFlags {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let given = WORDS.iter().filter_map(|word| match word.set {
            Set::Switch(_) => matches.get_flag(word.name).then(|| word.name.to_owned()),
            Set::Value(..) => {
                let value: &String = matches.get_one(word.name)?;
                Some(format!("{}={value}", word.name))
            }
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
