// Evaluates IAM policies: one question as JSON on each line of standard input, one answer on each line of standard output.
//
// The evaluation is that of @cloud-copilot/iam-simulate. It knows AWS's Service Authorization Reference: an action that takes no
// resource is asked about on "*", and a condition key that AWS does not give for an action is left out of the request.
//
// {"policy": {...}, "boundary": {...}, "checks": [{"action", "resource", "context", "principal", "account"}]}
//   -> {"answers": [{"result": "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied", "ignored": [keys]} | {"error": ...}]}

import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

// An organization without policies of its own: what AWS attaches at first.
const ORGANIZATION = [
  {
    orgIdentifier: 'o-1',
    policies: [
      {
        name: 'FullAWSAccess',
        policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
      }
    ]
  }
]

function keyPolicy(account) {
  const principal = { AWS: `arn:aws:iam::${account}:root` }
  const statement = { Sid: 'Account', Effect: 'Allow', Principal: principal, Action: 'kms:*', Resource: '*' }
  return { Version: '2012-10-17', Statement: [statement] }
}

// The evaluator leaves out keys whose name a caller chooses, and S3's encryption context is one: another text of the same calls, which
// no policy here asks for, stands for it in policies and requests.
function named(line) {
  return line.replaceAll('kms:EncryptionContext:aws:s3:arn', 'kms:EncryptionAlgorithm')
}

const known = new Map()

async function evaluate(policy, boundary, check) {
  const simulation = {
    request: {
      principal: check.principal,
      action: check.action,
      resource: { resource: check.resource, accountId: check.account },
      contextVariables: check.context
    },
    identityPolicies: [{ name: 'printed', policy }],
    serviceControlPolicies: ORGANIZATION,
    resourceControlPolicies: []
  }
  // A key is used only by those whom its own policy lets: AWS's first one leaves it to the policies of the account.
  if (check.action.startsWith('kms:')) simulation.resourcePolicy = keyPolicy(check.account)
  if (boundary) simulation.permissionBoundaryPolicies = [{ name: 'boundary', policy: boundary }]
  const answer = await runSimulation(simulation, { simulationMode: 'Strict' })
  if (answer.resultType === 'error') return { error: answer.errors }
  const ignored = answer.result?.ignoredContextKeys ?? []
  return { result: answer.overallResult, ignored }
}

async function answer(question) {
  const text = JSON.stringify([question.policy, question.boundary])
  const answers = []
  for (const check of question.checks) {
    const key = text + JSON.stringify(check)
    if (!known.has(key)) known.set(key, await evaluate(question.policy, question.boundary, check))
    answers.push(known.get(key))
  }
  return { answers }
}

for await (const line of createInterface({ input: process.stdin })) {
  let said
  try {
    said = await answer(JSON.parse(named(line)))
  } catch (bad) {
    said = { failed: String(bad?.stack ?? bad) }
  }
  process.stdout.write(JSON.stringify(said) + '\n')
}
