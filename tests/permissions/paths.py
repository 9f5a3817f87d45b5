"""Looks for a way from a policy to administrator: what its holder can become, and what that one can become, until nothing new comes.

The ways are the known ones: Rhino Security Labs, "AWS IAM privilege escalation: methods and mitigation", and what was added to its list
since. Whether a step is allowed, the evaluator says; where a condition asks for something that the caller chooses (a boundary, a
service, a policy), every choice is tried.
"""

import json

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

# What somebody does to an identity of others to become it, or to widen himself: action, and what it is done to.
ON_IDENTITIES = [
    ("iam:CreateAccessKey", "user/admin"), ("iam:CreateLoginProfile", "user/admin"), ("iam:UpdateLoginProfile", "user/admin"),
    ("iam:CreateServiceSpecificCredential", "user/admin"), ("iam:ResetServiceSpecificCredential", "user/admin"),
    ("iam:AttachUserPolicy", "user/deployer"), ("iam:PutUserPolicy", "user/deployer"), ("iam:AddUserToGroup", "group/admins"),
    ("iam:AttachGroupPolicy", "group/staff"), ("iam:PutGroupPolicy", "group/staff"),
    ("iam:PutUserPermissionsBoundary", "user/deployer"), ("iam:DeleteUserPermissionsBoundary", "user/deployer"),
    ("iam:AttachRolePolicy", "role/staff"), ("iam:PutRolePolicy", "role/staff"), ("iam:UpdateAssumeRolePolicy", "role/administrator"),
    ("iam:DeleteRolePermissionsBoundary", "role/staff"), ("iam:PutRolePermissionsBoundary", "role/staff"),
    ("iam:CreatePolicyVersion", "policy/staff"), ("iam:SetDefaultPolicyVersion", "policy/staff"),
    ("iam:CreateUser", "user/new"), ("iam:CreateRole", "role/new"), ("iam:CreateSAMLProvider", "saml-provider/new"),
    ("iam:UpdateSAMLProvider", "saml-provider/sso"), ("iam:CreateOpenIDConnectProvider", "oidc-provider/new"),
    ("iam:AddClientIDToOpenIDConnectProvider", "oidc-provider/sso"), ("iam:AddRoleToInstanceProfile", "instance-profile/any"),
    ("sts:AssumeRole", "role/administrator"),
]
# What runs with an administrator's role and does what it is told.
ON_WORKERS = [
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:{a}:function:of-others"),
    ("lambda:UpdateFunctionConfiguration", "arn:aws:lambda:us-east-1:{a}:function:of-others"),
    ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:{a}:function:of-others"),
    ("lambda:AddPermission", "arn:aws:lambda:us-east-1:{a}:function:of-others"),
    ("ssm:SendCommand", "arn:aws:ec2:us-east-1:{a}:instance/i-1"), ("ssm:StartSession", "arn:aws:ec2:us-east-1:{a}:instance/i-1"),
    ("ec2-instance-connect:SendSSHPublicKey", "arn:aws:ec2:us-east-1:{a}:instance/i-1"),
    ("ec2:ModifyInstanceAttribute", "arn:aws:ec2:us-east-1:{a}:instance/i-1"),
    ("ecs:ExecuteCommand", "arn:aws:ecs:us-east-1:{a}:cluster/c"), ("codebuild:UpdateProject", "arn:aws:codebuild:us-east-1:{a}:project/p"),
    ("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:{a}:project/p"),
    ("cloudformation:UpdateStack", "arn:aws:cloudformation:us-east-1:{a}:stack/s/1"),
    ("cloudformation:CreateChangeSet", "arn:aws:cloudformation:us-east-1:{a}:stack/s/1"),
    ("glue:UpdateJob", "arn:aws:glue:us-east-1:{a}:job/j"), ("glue:StartJobRun", "arn:aws:glue:us-east-1:{a}:job/j"),
    ("states:UpdateStateMachine", "arn:aws:states:us-east-1:{a}:stateMachine:m"),
    ("sagemaker:CreatePresignedNotebookInstanceUrl", "arn:aws:sagemaker:us-east-1:{a}:notebook-instance/n"),
]
# Services to which a role is handed.
TAKERS = [f"{name}.amazonaws.com" for name in (
    "lambda", "edgelambda", "ec2", "ecs-tasks", "cloudformation", "codebuild", "glue", "sagemaker", "datapipeline", "states", "events",
    "scheduler", "batch", "ssm", "elasticmapreduce", "bedrock", "apprunner", "s3", "pipes", "backup")]


class Finder:
    """An account with the roles of one stack, and an administrator."""

    def __init__(self, lab, account, boundaries):
        self.judge, self.account = lab.judge, account
        # Name of each of the stack's roles, and the document of its boundary with its ARN.
        self.roles = boundaries

    def may(self, holder, action, resource, choices=({},)):
        """Whether the holder may do it, with one of the choices."""
        policy, boundary = holder
        context = {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false", "aws:SecureTransport": "true",
                   "aws:RequestedRegion": "us-east-1"}
        questions = [{"action": action, "resource": resource, "context": context | choice, "account": self.account,
                      "principal": f"arn:aws:iam::{self.account}:user/deployer"} for choice in choices]
        return any(said["result"] == "Allowed" for said in self.judge.ask(policy, questions, boundary))

    def arn(self, what):
        """The ARN of an identity."""
        return f"arn:aws:iam::{self.account}:{what}"

    def ways(self, holder):
        """What leads from the holder straight to administrator."""
        bounds = [{}] + [{"iam:PermissionsBoundary": arn} for _, arn in self.roles.values()] + [{"iam:PermissionsBoundary": ADMINISTRATOR}]
        choices = [one | {"iam:PolicyARN": ADMINISTRATOR} for one in bounds]
        for action, what in ON_IDENTITIES:
            if self.may(holder, action, self.arn(what), choices):
                yield f"{action} on {what}"
        for action, what in ON_WORKERS:
            if self.may(holder, action, what.format(a=self.account)):
                yield f"{action} on {what.rpartition(':')[2]}"
        for service in TAKERS:
            if self.may(holder, "iam:PassRole", self.arn("role/administrator"), [{"iam:PassedToService": service}]):
                yield f"iam:PassRole of role/administrator to {service}"
        for name in self.roles:
            arn = self.arn(f"role/{name}")
            wider = [{}] + [{"iam:PermissionsBoundary": ADMINISTRATOR}]
            for action in ("iam:CreateRole", "iam:PutRolePermissionsBoundary"):
                if self.may(holder, action, arn, wider):
                    yield f"{action} on role/{name} with a wide boundary, or none"
            if self.may(holder, "iam:DeleteRolePermissionsBoundary", arn, choices):
                yield f"iam:DeleteRolePermissionsBoundary on role/{name}"
            if self.may(holder, "iam:AttachRolePolicy", arn, [{"iam:PolicyARN": ADMINISTRATOR}]):
                yield f"iam:AttachRolePolicy on role/{name} without its boundary"

    def becomes(self, holder):
        """The stack's roles that the holder can take on, with whatever policies it likes, within their boundaries."""
        for name, (document, arn) in self.roles.items():
            role, bound = self.arn(f"role/{name}"), [{"iam:PermissionsBoundary": arn}]
            writes = self.may(holder, "iam:PutRolePolicy", role, bound)
            # Who may say who takes a role on says: I, or an account of his own.
            takes = any(self.may(holder, action, role, bound) for action in ("iam:UpdateAssumeRolePolicy", "iam:CreateRole"))
            if writes and takes:
                yield name, (ANYTHING, document)

    def paths(self, policy, boundary=None):
        """Every way from a policy, within a boundary, to administrator, as a list of steps."""
        found, seen, waiting = [], set(), [([], (policy, boundary))]
        while waiting:
            steps, holder = waiting.pop()
            key = json.dumps(holder, sort_keys=True)
            if key in seen:
                continue
            seen.add(key)
            found += [[*steps, way] for way in self.ways(holder)]
            waiting += [([*steps, f"becomes role/{name}"], other) for name, other in self.becomes(holder)]
        return found


def boundaries(run):
    """The stack's roles with the documents of their boundaries."""
    iam, all_roles = run.client("iam"), {}
    for role in iam.list_roles()["Roles"]:
        if not role["RoleName"].startswith(f"{run.stack}-"):
            continue
        arn = iam.get_role(RoleName=role["RoleName"])["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        policy = iam.get_policy(PolicyArn=arn)["Policy"]
        version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        all_roles[role["RoleName"]] = (version["Document"], arn)
    return all_roles
