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
    match word.set {
        Set::Switch(_) => arg.action(ArgAction::SetTrue),
        Set::Value(value, _) => arg.value_name(value).action(ArgAction::Set),
        Set::Each(value, _) => arg.value_name(value).action(ArgAction::Append),
        Set::Several(value, alone, _) => arg
            .value_name(value)
            .action(ArgAction::Append)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(alone),
    }
}

/// What was given of an option, as words of a list.
fn given(matches: &ArgMatches, word: &Word) -> Vec<String> {
    if let Set::Switch(_) = word.set {
        let is_on = matches.get_flag(word.name);
        return is_on.then(|| word.name.to_owned()).into_iter().collect();
    }
    let values = matches.get_many::<String>(word.name);
    values
        .into_iter()
        .flatten()
        .map(|value| format!("{}={value}", word.name))
        .collect()
}

impl clap::FromArgMatches for OptionFlags {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        Ok(Self(
            WORDS.iter().flat_map(|word| given(matches, word)).collect(),
        ))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
