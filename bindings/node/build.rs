//! Links the library as Node loads it.

fn main() {
    napi_build::setup();
    // A worker thread of Node unloads what it has loaded as it ends; tasks of ours may still run then.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
