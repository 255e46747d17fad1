//! `status`: what mounts are doing.

use std::{
    io::{self, IsTerminal, Write},
    path::{self, PathBuf},
    thread,
    time::Duration,
};

use clap::Args;

use super::Exit;
use crate::{Error, ErrorKind, Result, fuse::session::mounts};

mod prometheus;
mod sample;
mod screen;
mod text;

use sample::Mount;

/// What `status` is asked for.
#[derive(Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// Mountpoints; every mount of plainiso without them.
    #[arg(value_name = "MOUNTPOINT")]
    mountpoints: Vec<PathBuf>,
    /// Answer with a JSON array, one object for each mount; with --watch, one line for each look.
    #[arg(long)]
    json: bool,
    /// Go on looking. On a terminal this is a screen that q and Ctrl-C leave; elsewhere, lines without end.
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks, which is also what rates are measured over.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    interval: f64,
    /// Answer with metrics in Prometheus' text format. A mount that does not answer, or is not there, is told as
    /// `plainiso_up` 0 and is no failure of this command.
    #[arg(long, conflicts_with_all = ["json", "watch", "interval"])]
    prometheus: bool,
}

/// Looks at mounts twice, and tells what went on between. With `--watch`, again and again.
///
/// # Errors
/// `Mountpoint` where nothing of plainiso is mounted, `Io` when the table of mounts or the terminal refuse.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit> {
    let interval = arguments.interval()?;
    let mut mounts = arguments.mounts()?;
    if arguments.prometheus {
        has_reader(print(&prometheus::text(&mounts)))?;
        return Ok(Exit::SUCCESS);
    }
    if arguments.watch && !arguments.json && io::stdin().is_terminal() && io::stdout().is_terminal()
    {
        return screen::watch(interval, || {
            arguments.look_again(&mut mounts)?;
            Ok(text::lines(&mounts))
        });
    }
    loop {
        thread::sleep(interval);
        arguments.look_again(&mut mounts)?;
        let has_reader = has_reader(write(&mounts, arguments))?;
        if !(has_reader && arguments.watch) {
            break;
        }
    }
    let is_well = mounts.iter().all(Mount::answers);
    Ok(if is_well {
        Exit::SUCCESS
    } else {
        Exit::FAILURE
    })
}

fn write(mounts: &[Mount], arguments: &Arguments) -> io::Result<()> {
    let told: Vec<_> = mounts.iter().map(Mount::told).collect();
    let text = match (arguments.json, arguments.watch) {
        (true, true) => serde_json::to_string(&told)?,
        (true, false) => serde_json::to_string_pretty(&told)?,
        (false, _) => text::lines(mounts).join("\n"),
    };
    print(&(text + "\n"))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A reader that went away wants no more, which is no failure.
fn has_reader(printed: io::Result<()>) -> Result<bool> {
    match printed {
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(err) => Err(Error::io(err, "cannot write to stdout")),
        Ok(()) => Ok(true),
    }
}

impl Arguments {
    fn interval(&self) -> Result<Duration> {
        if (0.05..=3600.0).contains(&self.interval) {
            return Ok(Duration::from_secs_f64(self.interval));
        }
        let message = format!("--interval is {}, not from 0.05 to 3600", self.interval);
        Err(Error::new(ErrorKind::Usage, message))
    }

    /// A first look at what is asked for.
    fn mounts(&self) -> Result<Vec<Mount>> {
        if self.mountpoints.is_empty() {
            let all = mounts()?.into_iter();
            return Ok(all.map(|(at, source)| Mount::new(at, source)).collect());
        }
        let mounts = mounts().unwrap_or_default();
        let asked = self.mountpoints.iter().map(|asked| {
            let path = path::absolute(asked).unwrap_or_else(|_| asked.clone());
            // A dead mount answers no question about itself, so it stands under the path that was given.
            let path = path.canonicalize().unwrap_or(path);
            let source = mounts.iter().find(|(at, _)| *at == path);
            if source.is_none() && cfg!(target_os = "linux") && !self.prometheus {
                let message = "nothing of plainiso is mounted here";
                return Err(Error::new(ErrorKind::Mountpoint, message).in_file(asked));
            }
            let source = source.map(|(_, source)| source.clone()).unwrap_or_default();
            Ok(Mount::new(path, source))
        });
        asked.collect()
    }

    /// Looks at the same mounts again; where all are asked for, at those that came meanwhile too.
    fn look_again(&self, known: &mut Vec<Mount>) -> Result<()> {
        if self.mountpoints.is_empty() {
            let now = mounts()?;
            known.retain(|mount| now.iter().any(|(at, source)| mount.is(at, source)));
            for (at, source) in now {
                if !known.iter().any(|mount| mount.is(&at, &source)) {
                    known.push(Mount::new(at, source));
                }
            }
        }
        for mount in known {
            mount.look();
        }
        Ok(())
    }
}
