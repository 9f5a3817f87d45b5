//! Which hub, and who asks it: Hugging Face's own environment.

use std::env;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use crate::exit::{Failure, codes};
use crate::models::ModelsFault;
use crate::models::hub::{ENDPOINT, Hub, HubRetryPolicy, HubToken, Network};
use crate::provider::network::{Bundle, Environment, Proxies};
use crate::resource::{Fault, SafeText};

/// Which hub.
#[derive(Debug, clap::Args)]
pub struct HubArgs {
    /// The hub, or a mirror of it
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT", hide_env_values = true, default_value = ENDPOINT)]
    endpoint: String,
    /// Never use the network: fine when the model is here and right
    #[arg(long, env = "HF_HUB_OFFLINE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    offline: bool,
}

impl HubArgs {
    /// The client.
    ///
    /// # Errors
    /// When the endpoint, the token, a proxy or a bundle of authorities cannot be used.
    pub fn hub(&self) -> Result<Hub, Failure> {
        // As Hugging Face's own tools have it: set to nothing is not set.
        let endpoint = Some(self.endpoint.as_str()).filter(|endpoint| !endpoint.trim().is_empty()).unwrap_or(ENDPOINT);
        Ok(Hub::new(endpoint, token()?, HubRetryPolicy::default(), network()?)?)
    }

    /// Whether the network is not used: by the flag, or by a variable of Hugging Face's tools.
    pub fn is_offline(&self) -> bool {
        let said = |key: &str| env::var(key).ok().filter(|value| !value.is_empty());
        self.offline
            || (said("HF_HUB_OFFLINE").is_none() && said("TRANSFORMERS_OFFLINE").is_some_and(|value| is_true(&value)))
    }
}

/// The proxies and authorities that AWS is reached with, too.
fn network() -> Result<Network, Failure> {
    let environment = Environment::of_process();
    let wrong = |fault: Fault| {
        codes::CONFIGURATION
            .error(fault.message.block(), fault.next_step.map_or_else(SafeText::default, SafeText::from))
    };
    let proxies = Proxies::with_all_proxy(&environment).map_err(wrong)?;
    let named = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"];
    let named = named.into_iter().find_map(|variable| Some((environment.get(variable)?, variable)));
    let bundle =
        named.map(|(file, variable)| Bundle::read(PathBuf::from(file), variable)).transpose().map_err(wrong)?;
    let proxy =
        move |scheme: &str, host: &str, port| Some(proxies.for_address(scheme, host, port)?.with_password().to_owned());
    Ok(Network { proxy: Some(Box::new(proxy)), authorities: bundle.map(|bundle| bundle.pem.to_vec()) })
}

/// As huggingface_hub reads a variable that says yes or no.
fn is_true(text: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&text.to_uppercase().as_str())
}

/// A path that may begin with the home directory of the user.
fn expanded(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path,
    }
}

/// `HF_TOKEN` or its former name, else the file that the hub's own tools keep it in. There is no flag: command lines can be seen by others.
fn token() -> Result<Option<HubToken>, ModelsFault> {
    if env::var("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_ok_and(|value| is_true(&value)) {
        return Ok(None);
    }
    for key in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Ok(text) = env::var(key)
            && let Some(token) = HubToken::parse(&text)?
        {
            return Ok(Some(token));
        }
    }
    let folder = |key: &str| env::var_os(key).filter(|value| !value.is_empty()).map(|value| expanded(value.into()));
    let cache = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let home = || folder("HF_HOME").or_else(|| Some(cache()?.join("huggingface")));
    let Some(file) = folder("HF_TOKEN_PATH").or_else(|| Some(home()?.join("token"))) else { return Ok(None) };
    match std::fs::read_to_string(&file) {
        Ok(text) => HubToken::parse(&text),
        Err(none) if none.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(bad) => Err(ModelsFault::file(&file)(bad)),
    }
}
