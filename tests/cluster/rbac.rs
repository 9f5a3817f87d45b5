//! The role that `docs/accounts.md` gives to a service account, at a real API server: a plan is deployed, changed, rolled back and
//! destroyed with exactly this role, and what the role does not say is refused.

use std::process::Command;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use testkit::cli::{CommandOutput, TestAccount, finish};
use testkit::control_plane::ControlPlane;
use testkit::local_aws;

const STACK: &str = "rbac-objects";
const NAMESPACE: &str = "rbac";

/// The objects of the documentation, for this stack and namespace.
fn documented() -> String {
    let path = testkit::root().join("docs/accounts.md");
    let text = std::fs::read_to_string(path).expect("the documentation");
    let (_, block) = text.split_once("```yaml\n# rbac: ").expect("the block with the roles");
    let (block, _) = block.split_once("\n```").expect("its end");
    let (_, objects) = block.split_once('\n').expect("its first line");
    objects.replace("NAMESPACE", NAMESPACE).replace("STACK", STACK)
}

/// A service account with the documented role, and the binary as it.
struct Deployer {
    plane: Arc<ControlPlane>,
    account: TestAccount,
    /// What the kubeconfig has: the token of the service account.
    token: String,
}

impl Deployer {
    /// None without a control plane. `without` is a line of the documented rules that is left out.
    fn new(without: &str) -> Option<Self> {
        let plane = ControlPlane::shared()?;
        let account = TestAccount::of(local_aws::account());
        plane.person_applies(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
        let objects = documented();
        let kept: Vec<&str> = objects.lines().filter(|line| without.is_empty() || !line.contains(without)).collect();
        assert_eq!(kept.len() < objects.lines().count(), !without.is_empty(), "{without:?} in {objects}");
        let (well, said) = plane.kubectl_with(&["apply", "-f", "-"], &kept.join("\n"));
        assert!(well, "{said}");
        let token = plane.kubectl(&format!("create token akidb-edge -n {NAMESPACE}")).trim().to_owned();
        let authority = BASE64_STANDARD.encode(plane.tls("server-ca.crt"));
        let cluster =
            json!({"server": format!("https://127.0.0.1:{}", plane.port()), "certificate-authority-data": authority});
        // JSON is YAML.
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "akidb-edge", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "akidb-edge"}}],
        });
        std::fs::write(account.path("kubeconfig"), config.to_string()).expect("a file");
        Some(Self { plane, account, token })
    }

    fn run(&self, words: &str, color: &str) -> CommandOutput {
        std::fs::write(self.account.path("plan.yaml"), plan(color)).expect("a file");
        let mut command = self.account.command(&format!("{words} --plan plan.yaml"));
        let output = finish(command.env("KUBECONFIG", self.account.path("kubeconfig")));
        assert!(!output.all().contains(&self.token), "{words} tells the token");
        output
    }

    /// The files of the run that hold the token, but the kubeconfig.
    fn holding_the_token(&self) -> String {
        let mut command = Command::new("grep");
        command.args(["-rlF", "--exclude=kubeconfig", "-e", &self.token]).arg(self.account.directory.path());
        String::from_utf8(command.output().expect("grep runs").stdout).expect("text")
    }

    /// Names of what lies in the namespace, with their kinds, without what every namespace has and without pods.
    fn present(&self) -> Vec<String> {
        let listed = self.plane.kubectl(&format!("get configmaps,services,deployments -n {NAMESPACE} -o name"));
        let own = listed.lines().filter(|line| *line != "configmap/kube-root-ca.crt");
        own.map(str::to_owned).collect()
    }

    fn color(&self) -> Value {
        self.plane.object(&format!("configmap settings -n {NAMESPACE}"))["data"]["color"].clone()
    }

    /// Whether the service account may do this, as the API server sees it.
    fn may(&self, words: &str) -> bool {
        let caller = format!("--as=system:serviceaccount:{NAMESPACE}:akidb-edge");
        let words: Vec<&str> = ["auth", "can-i", caller.as_str()].into_iter().chain(words.split(' ')).collect();
        let (yes, said) = self.plane.kubectl_with(&words, "");
        assert!(said.lines().any(|line| line == "yes" || line.starts_with("no")), "{words:?}: {said}");
        yes
    }

    /// What the tests of this file made.
    fn clean(&self) {
        self.plane.kubectl(&format!("delete namespace {NAMESPACE} --wait=true"));
        self.plane.kubectl(&format!("delete configmap akidb-edge-{STACK} -n default --ignore-not-found"));
        for what in ["role", "rolebinding"] {
            self.plane.kubectl(&format!("delete {what} akidb-edge-{STACK} -n default"));
        }
        self.plane.kubectl(&format!("delete clusterrole,clusterrolebinding akidb-edge-{STACK}"));
    }
}

fn plan(color: &str) -> String {
    format!(
        r"
version: 1
stack: {STACK}
metadata: {{name: {STACK}, title: Objects with few rights}}
days:
  - day: 1
    title: Objects
    steps:
      - id: kubernetes
        title: Objects
        kind: kubernetes
        with:
          name: lab
          cluster: {{kubeconfig: {{context: lab}}}}
          namespace: {NAMESPACE}
          objects:
            - apiVersion: v1
              kind: ConfigMap
              metadata: {{name: settings}}
              data: {{color: {color}}}
            - apiVersion: v1
              kind: Service
              metadata: {{name: web}}
              spec:
                selector: {{app.kubernetes.io/name: web}}
                ports: [{{name: http, port: 80, targetPort: http}}]
            - apiVersion: apps/v1
              kind: Deployment
              metadata: {{name: web, labels: {{app.kubernetes.io/name: web}}}}
              spec:
                replicas: 2
                selector: {{matchLabels: {{app.kubernetes.io/name: web}}}}
                template:
                  metadata: {{labels: {{app.kubernetes.io/name: web}}}}
                  spec:
                    automountServiceAccountToken: false
                    securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
                    containers:
                      - name: web
                        image: docker.io/nginxinc/nginx-unprivileged:1.29-alpine
                        ports: [{{name: http, containerPort: 8080}}]
                        resources: {{requests: {{cpu: 10m, memory: 32Mi}}, limits: {{memory: 64Mi}}}}
                        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"
    )
}

/// One test: the namespace, the stack and the roles have fixed names in the control plane that all tests share.
#[test]
fn a_plan_lives_with_exactly_the_documented_role() {
    let _turn = crate::turn();
    let Some(deployer) = Deployer::new("") else { return };
    let all = ["configmap/settings", "deployment.apps/web", "service/web"];
    deployer.run("deploy --out saved.plan.json -vvv", "red");
    deployer.run("deploy --yes -vvv", "red").exits(0);
    let mut present = deployer.present();
    present.sort();
    assert_eq!(present, all);
    let again = deployer.run("deploy --yes", "red").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());
    deployer.run("deploy --yes", "blue").exits(0);
    assert_eq!(deployer.color(), "blue");
    deployer.run("status --drift", "blue").exits(0);
    deployer.run("rollback --yes", "blue").exits(0);
    assert_eq!(deployer.color(), "red");
    deployer.run("report", "red");
    deployer.run("destroy --yes", "red").exits(0);
    assert_eq!(deployer.holding_the_token(), "", "journal, saved plan, report");
    assert_eq!(deployer.present(), Vec::<String>::new());
    let inventory = format!("get configmap akidb-edge-{STACK} -n default --ignore-not-found -o name");
    assert_eq!(deployer.plane.kubectl(&inventory), "", "the inventory goes with the last object");

    // What the plan does not need is refused.
    for needed in [format!("patch deployments.apps -n {NAMESPACE}"), "list nodes".to_owned()] {
        assert!(deployer.may(&needed), "{needed}");
    }
    for more in [
        format!("get secrets -n {NAMESPACE}"),
        format!("create pods -n {NAMESPACE}"),
        format!("create pods --subresource=exec -n {NAMESPACE}"),
        format!("create serviceaccounts --subresource=token -n {NAMESPACE}"),
        format!("create rolebindings.rbac.authorization.k8s.io -n {NAMESPACE}"),
        format!("impersonate serviceaccounts -n {NAMESPACE}"),
        "get configmaps -n default".to_owned(),
        "patch configmaps/kube-root-ca.crt -n default".to_owned(),
        "patch deployments.apps -n default".to_owned(),
        "list configmaps -n kube-system".to_owned(),
        "list configmaps --all-namespaces".to_owned(),
        "create clusterrolebindings.rbac.authorization.k8s.io".to_owned(),
        "patch nodes".to_owned(),
        "get namespaces/default".to_owned(),
    ] {
        assert!(!deployer.may(&more), "{more}");
    }
    deployer.clean();

    // Without one of its rules the run says what it lacks, and heals with it.
    let Some(short) = Deployer::new("resources: [deployments], verbs: [get") else { return };
    let refused = short.run("deploy --yes", "red");
    assert_ne!(refused.code, 0, "{}", refused.all());
    let said = refused.all().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("deployments.apps") && said.contains("forbidden"), "{}", refused.all());
    assert!(said.contains("kubectl auth can-i"), "{}", refused.all());
    let (well, told) = short.plane.kubectl_with(&["apply", "-f", "-"], &documented());
    assert!(well, "{told}");
    short.run("deploy --yes", "red").exits(0);
    short.run("destroy --yes", "red").exits(0);
    short.clean();
}
