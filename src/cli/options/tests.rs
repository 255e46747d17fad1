use super::*;

fn read_list(list: &str) -> Result<Settings> {
    read(&[list.into()], &OptionFlags::default(), Sloppiness::Strict)
}

fn rejection(list: &str) -> String {
    let err = read_list(list).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Usage);
    err.to_string()
}

#[test]
fn every_word_of_the_contract_is_understood() {
    let settings = read_list(
        "ro,allow_other,allow_root,default_permissions,auto_unmount,uid=1000,gid=100,umask=027,fsname=x,nonempty,\
         cache=1g,threads=3,readahead=512k,direct_io,direct_io=*.bin,images_only,name=append,tracks=iso,follow_links,nfs_export,\
         password-file=/p,parent=/a,parent=/b\\,c,mkdir,idle=10m,unconfined",
    )
    .unwrap();
    let expected = Settings {
        allow_other: true,
        allow_root: true,
        default_permissions: true,
        auto_unmount: true,
        nonempty: true,
        images_only: true,
        follow_links: true,
        nfs_export: true,
        mkdir: true,
        unconfined: true,
        uid: Some(1000),
        gid: Some(100),
        umask: Some(0o27),
        fsname: Some("x".into()),
        cache: 1 << 30,
        threads: 3,
        readahead: Some(512 << 10),
        direct_io: ["*", "*.bin"]
            .map(|glob| Pattern::new(glob).unwrap())
            .into(),
        naming: Naming::Append,
        tracks: Tracks::Iso,
        idle: Some(Duration::from_secs(600)),
        password_file: Some("/p".into()),
        parents: ["/a", "/b,c"].map(PathBuf::from).into(),
        flags: Vec::new(),
        wants_writing: false,
    };
    assert_eq!(settings, expected);
}

#[test]
fn the_words_of_mount_are_ignored_or_passed_on() {
    let ignored = "defaults,noauto,nofail,user,users,owner,group,_netdev,x-systemd.automount,x-gvfs-show,comment=a b,\
                   relatime,diratime,async,sync,dirsync";
    assert_eq!(read_list(ignored).unwrap(), Settings::default());
    let passed = read_list("dev,suid,noexec,noatime").unwrap();
    assert_eq!(passed.flags, ["dev", "suid", "noexec", "noatime"]);
}

#[test]
fn the_last_word_on_writing_counts() {
    assert!(read_list("ro,rw").unwrap().wants_writing);
    assert!(!read_list("rw,ro").unwrap().wants_writing);
}

#[test]
fn a_backslash_keeps_a_comma_inside_a_value() {
    let settings = read_list(r"fsname=one\,two\\three,,ro,").unwrap();
    assert_eq!(settings.fsname.as_deref(), Some(r"one,two\three"));
}

#[test]
fn the_last_of_several_lists_wins_and_a_flag_wins_over_it() {
    let lists = ["cache=1m".to_owned(), "cache=2m".to_owned()];
    let none = OptionFlags::default();
    let cache = |flags| read(&lists, flags, Sloppiness::Strict).unwrap().cache;
    assert_eq!(cache(&none), 2 << 20);
    assert_eq!(cache(&OptionFlags::of("cache=3")), 3);
}

#[test]
fn an_option_of_several_values_may_be_a_flag_with_one_or_none() {
    use clap::{Args, FromArgMatches};
    let command = OptionFlags::augment_args(clap::Command::new("mount"));
    let line = [
        "mount",
        "--direct_io",
        "--cache=3",
        "--direct_io=a b",
        "--parent",
        "a",
        "--parent=b",
    ];
    let flags = OptionFlags::from_arg_matches(&command.get_matches_from(line)).unwrap();
    assert_eq!(
        flags.words(),
        [
            "cache=3",
            "direct_io=*",
            "direct_io=a b",
            "parent=a",
            "parent=b"
        ]
    );
}

#[test]
fn hyphens_and_underscores_are_the_same() {
    let settings = read_list("allow-other,password_file=x").unwrap();
    assert!(settings.allow_other && settings.password_file.is_some());
}

#[test]
fn rejects_an_unknown_word_and_names_the_one_that_was_meant() {
    assert_eq!(
        rejection("ro,alow_other"),
        "mount option 'alow_other' is not known; did you mean allow_other?"
    );
    assert_eq!(
        rejection("compress=9"),
        "mount option 'compress' is not known"
    );
}

#[test]
fn a_sloppy_mount_ignores_unknown_words_but_not_wrong_values() {
    let sloppy = |list: &str| {
        let flags = OptionFlags::default();
        read(&[list.into()], &flags, Sloppiness::IgnoreUnknown)
    };
    assert_eq!(sloppy("compress=9").unwrap(), Settings::default());
    assert!(sloppy("threads=0").is_err());
}

#[test]
fn rejects_a_remount_even_when_sloppy() {
    let lists = ["remount".to_owned()];
    let err = read(&lists, &OptionFlags::default(), Sloppiness::IgnoreUnknown).unwrap_err();
    assert!(err.to_string().contains("unmount it, and mount it again"));
}

#[test]
fn rejects_values_that_break_their_rule() {
    for (list, rule) in [
        ("uid=bob", "mount option uid is 'bob', not a number"),
        (
            "umask=8",
            "mount option umask is '8', not octal digits from 0 to 777",
        ),
        (
            "umask=1000",
            "mount option umask is '1000', not octal digits from 0 to 777",
        ),
        (
            "threads=0",
            "mount option threads is '0', not a number from 1 to 64",
        ),
        ("name=x", "mount option name is 'x', not strip or append"),
        (
            "readahead=4g",
            "mount option readahead is '4g', not less than 4g",
        ),
        (
            "direct_io=[a",
            "mount option direct_io is '[a', not a pattern of ?, *, **/ and [...]",
        ),
        (
            "idle=0",
            "mount option idle is '0', not a number of seconds, or of minutes or hours with m or h behind it, from 1 on",
        ),
        ("ro=1", "mount option ro takes no value"),
        ("cache", "mount option cache needs a value: cache=SIZE"),
        ("parent", "mount option parent needs a value: parent=PATH"),
    ] {
        assert_eq!(rejection(list), rule);
    }
    for size in ["", "k", "1t", "-1", "1.5m", "99999999999g", "é"] {
        assert!(rejection(&format!("cache={size}")).contains("not a number of bytes"));
    }
}
