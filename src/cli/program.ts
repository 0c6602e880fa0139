/** The command line: commands, options, help. What a command does is imported when it runs. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { createConsole, type Console } from './console.ts'
import { exitCodeOf } from './exit.ts'
import { parseDuration, parseWhen } from './duration.ts'
import { VERSION } from '../package.ts'
import { toFailure, type Failure } from '../core/errors.ts'
import type { FanOutPolicy } from '../index.ts'

type Run = (console: Console, options: any, ...args: string[]) => Promise<number>

/** Parses `args` (without node and script), runs the command, and ends the process with its exit code. */
export async function main (args: string[]): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // whoever read our output has had enough
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
    throw error
  })
  const code = await execute(args)
  // all output must be out before anything still open is cut off
  process.stdout.write('', () => process.exit(code))
}

async function execute (args: string[]): Promise<number> {
  // as far as can be told before it is parsed, so that a wrong line of arguments is answered in the form asked for
  let console = createConsole({ json: args.includes('--json'), verbose: args.includes('--verbose') })
  let code = 0
  const program = build(async (run, options, words) => {
    console = createConsole(options)
    code = await run(console, options, ...words)
  })
  try {
    if (args.length === 0) program.help()
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const failure = error instanceof CommanderError ? usage(error) : toFailure(error)
    console.fail(failure, error)
    return exitCodeOf(failure)
  }
}

function usage (error: CommanderError): Failure {
  if (error.code === 'commander.help') return { code: 'BAD_USAGE', why: 'no command given', hint: 'see: a2a-node --help' }
  const [what = '', suggestion] = error.message.replace(/^error: /, '').replace(/\.$/, '').split('\n')
  return { code: 'BAD_USAGE', why: suggestion === undefined ? what : `${what} ${suggestion}`, hint: 'see: a2a-node --help' }
}

function build (perform: (run: Run, options: Record<string, unknown>, words: string[]) => Promise<void>): Command {
  const program = new Command('a2a-node')
    .description('A peer-to-peer mesh for AI agents: find who can do a task, take bids, have it done, keep the receipt.')
    .option('--home <dir>', 'folder of keys and event log (env A2A_HOME)')
    .option('--json', 'one JSON object a line on stdout, and nothing else there')
    .option('--quiet', 'nothing on stderr but errors')
    .option('--verbose', 'more on stderr; full ids in tables')
    .version(VERSION, '--version', 'print the version')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, outputError: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .addHelpText('after', `
Examples:
  a2a-node start --capability text.case.upper --exec 'tr a-z A-Z'
  a2a-node run text.case.upper --input '"hello"'`)

  /** Adds a command whose code is imported when it runs. */
  const add = (parent: Command, usageLine: string, description: string, example: string, load: () => Promise<Run>): Command =>
    parent.command(usageLine)
      .description(description)
      .addHelpText('after', `\nExample:\n  ${example}`)
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command
        await perform(await load(), command.optsWithGlobals(), given.slice(0, -2) as string[])
      })

  network(add(program, 'start', 'Run a node with one agent, until it is told to stop.', "a2a-node start --name caps --capability text.case.upper --exec 'tr a-z A-Z'",
    async () => (await import('./commands/start.ts')).start)
    .option('--config <file>', 'JSON file with the same settings and full capabilities; flags win')
    .option('--name <name>', 'name of the agent')
    .option('--region <name>', 'where it is, for those who look by region')
    .option('--capability <name>', 'what the agent can do; may be given again', collect)
    .addOption(new Option('--exec <command>', 'does each capability with a program: input on stdin, result on stdout, as JSON').conflicts('module'))
    .option('--module <file>', 'does them with a JavaScript or TypeScript module')
    .option('--keep <time>', 'how long ended tasks stay in the event log', duration))

  network(add(program, 'run <capability>', 'Have a task done by whoever bids best, follow it, print the result.', "a2a-node run data.stats.describe --input '[1,2,3]' --max-duration 5s",
    async () => (await import('./commands/run.ts')).run), true)
    .option('--input <json>', 'JSON, @FILE, or - for stdin; nothing means null')
    .option('--max-duration <time>', 'for everything: 500ms, 5s, 2m, 1h', duration)
    .option('--max-cost <n>', "in the providers' cost units, for all that is done for it", amount)
    .option('--max-depth <n>', 'levels of delegations under it, at most', amount)
    .option('--to <did>', 'only this agent')
    .option('--policy <name>', 'how bids are ranked: value, cheapest, fastest, or sticky:KEY')
    .option('--patient', 'announce it again until its time is over, where nobody does it')
    .option('--detach', "put it into the running node's queue, print its id")
    .option('--idempotency-key <key>', 'with --detach: the same key gives the same job')
    .option('--not-before <time>', 'with --detach: not earlier; 10m from now, or a date', when)
    .option('--expires <time>', 'with --detach: not later; 2h from now, or a date', when)
    .option('--attempts <n>', 'with --detach: how often it is tried', amount)
    .option('--answer <json>', 'what to answer when the provider asks for input')
    .option('--artifacts <dir>', 'save artifacts into this folder')
    .option('--hedge <time>', 'try it with a second agent when there is no result by then; only for what may be done twice', duration)
    .addOption(new Option('--fan-out <policy>', 'give it to all who offer it: all, first, best-effort, or quorum:N of them must do it').argParser(fanOutPolicy)
      .conflicts(['to', 'policy', 'patient', 'detach', 'answer', 'artifacts', 'hedge']))

  network(add(program, 'find <pattern>', 'List the agents that offer a capability.', "a2a-node find 'data.*'", async () => (await import('./commands/find.ts')).find), true)
    .option('--watch', 'go on and print each change, until Ctrl-C')
    .option('--region <name>', 'only agents of this region')
    .option('--max-load <share>', 'none busier than this, from 0 to 1', amount)
    .option('--max-cost <n>', 'none whose price hint is higher', amount)
    .option('--protocol <id>', 'only agents whose node speaks this protocol')
    .option('--accepts <json>', 'only what takes this as its input')
    .option('--limit <n>', 'at most so many', amount)
  network(add(program, 'agents', 'List every agent known.', 'a2a-node agents --json', async () => (await import('./commands/find.ts')).agents), true)
  network(add(program, 'peers', 'List the nodes this one is connected to.', 'a2a-node peers --verbose', async () => (await import('./commands/peers.ts')).peers), true)
  add(program, 'status', 'Show the running node.', 'a2a-node status', async () => (await import('./commands/status.ts')).status)

  const task = program.command('task').description('Look at tasks, and steer them.')
  add(task, 'ls', 'List tasks, the newest first.', 'a2a-node task ls --limit 10', async () => (await import('./commands/task.ts')).ls).option('--limit <n>', 'at most so many', amount, 50)
  add(task, 'show <id>', 'Show a task with its history. The beginning of an id will do.', 'a2a-node task show 01JD4Q', async () => (await import('./commands/task.ts')).show)
  network(add(task, 'cancel <id>', 'Cancel a task that this node asked for.', 'a2a-node task cancel 01JD4Q', async () => (await import('./commands/task.ts')).cancel), true)
  network(add(task, 'resume <id>', 'Follow a task again, from its beginning to its end.', 'a2a-node task resume 01JD4Q', async () => (await import('./commands/task.ts')).resume), true)
    .option('--after <n>', 'only the events after this `seq`', amount)

  const dead = program.command('dead').description('Look at jobs that were given up, and try them again.')
  add(dead, 'ls', 'List dead letters, the oldest first.', 'a2a-node dead ls', async () => (await import('./commands/dead.ts')).ls)
  add(dead, 'show <id>', 'Show a dead letter: the whole message, and what became of each attempt.', 'a2a-node dead show 01JD4Q', async () => (await import('./commands/dead.ts')).show)
  add(dead, 'replay [id]', 'Put a dead letter into the queue again.', 'a2a-node dead replay 01JD4Q', async () => (await import('./commands/dead.ts')).replay).option('--all', 'all there are')
  add(dead, 'drop [id]', 'Give a dead letter up for good.', 'a2a-node dead drop 01JD4Q', async () => (await import('./commands/dead.ts')).drop).option('--all', 'all there are')
  add(program, 'replay <id>', 'Go through the life of a task step by step, as the event log tells it.', 'a2a-node replay 01JD4Q', async () => (await import('./commands/replay.ts')).replay)

  const contract = program.command('contract').description('Look at contracts and their receipts.')
  add(contract, 'ls', 'List contracts, the newest first.', 'a2a-node contract ls', async () => (await import('./commands/contract.ts')).ls).option('--limit <n>', 'at most so many', amount, 50)
  add(contract, 'show <id>', 'Show the contracts of a task, and check every signature in them.', 'a2a-node contract show 01JD4Q --json', async () => (await import('./commands/contract.ts')).show)

  const content = program.command('content').description('Hand files from node to node.')
  add(content, 'send <file>', 'Offer a file to whoever gets the ref that this prints.', 'a2a-node content send sales.csv > sales.ref', async () => (await import('./commands/content.ts')).send)
    .option('--name <name>', 'what to call it')
    .option('--type <type>', 'its media type, as text/csv')
  add(content, 'get <ref>', 'Fetch what a ref names into a file. Stopped, it goes on where it was.', 'a2a-node content get @sales.ref --out sales.csv', async () => (await import('./commands/content.ts')).get)
    .option('--out <file>', 'where to')
  add(content, 'ls', 'List the contents that this node has.', 'a2a-node content ls', async () => (await import('./commands/content.ts')).ls)
  add(content, 'drop <hash>', 'Offer a content no more. The beginning of its hash will do.', 'a2a-node content drop iE0yrLdt', async () => (await import('./commands/content.ts')).drop)
    // one hash in 64 begins with a hyphen
    .allowUnknownOption()

  const log = program.command('log').description('Look after the event log, while no node runs.')
  add(log, 'check', 'Check every page and every record of the event log.', 'a2a-node log check', async () => (await import('./commands/log.ts')).check)
  add(log, 'repair', 'Make a whole log of a damaged one, which is kept beside it.', 'a2a-node log repair', async () => (await import('./commands/log.ts')).repair)

  const id = program.command('id').description('Look at who this is.')
  add(id, 'show', 'Show the agents of this home and their credentials.', 'a2a-node id show', async () => (await import('./commands/id.ts')).show)
  add(id, 'rotate', 'Give the running node new operational keys.', 'a2a-node id rotate', async () => (await import('./commands/id.ts')).rotate)
  add(id, 'export', 'Print the public identity, with its DID document.', 'a2a-node id export > agent.json', async () => (await import('./commands/id.ts')).exportIdentity)

  network(add(program, 'doctor', 'Check what the mesh needs, and say what to do.', 'a2a-node doctor --why text.case.upper', async () => (await import('./commands/doctor.ts')).doctor), true)
    .option('--why <target>', 'why this capability or agent is found or not, step by step')
  add(program, 'swarm', 'Run a whole mesh on this machine under load, and count what comes of it.', 'a2a-node swarm --agents 60 --processes 6 --for 60s',
    async () => (await import('./commands/swarm.ts')).swarm)
    .requiredOption('--agents <n>', 'how many agents', amount)
    .option('--processes <n>', 'in how many processes', amount)
    .option('--for <time>', 'how long the traffic lasts', duration, 30_000)
    .option('--rate <n>', 'tasks a second, by all together', amount, 20)
  add(program, 'bench [mode]', 'Measure a2a-node against its peers on this machine, in one run; or let it soak.', 'a2a-node bench --only requests --rounds 3',
    async () => (await import('./commands/bench.ts')).bench)
    .option('--only <section>', 'only this section; may be given again', collect)
    .option('--rounds <n>', 'how many rounds, of which medians are taken', amount)
    .option('--messages <n>', 'for the mode soak: how many', amount)
    .option('--quick', 'one short round: shows that it works')
    .option('--write [dir]', 'write benchmarks.md and its charts into this folder (docs)')
  return program
}

/** The flags of whatever starts a node. Client commands take them for the short-lived node, and leave them out of their help. */
function network (command: Command, hidden = false): Command {
  const options = [
    new Option('--listen <multiaddr>', 'where to listen; may be given again').argParser(collect),
    new Option('--bootstrap <multiaddr>', 'a node to join by; may be given again').argParser(collect),
    new Option('--no-mdns', 'do not look for nodes on the local network')
  ]
  for (const option of options) command.addOption(option.hideHelp(hidden))
  return command
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

function amount (text: string): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number, 0 or more.')
  return value
}

function when (text: string): number {
  const at = parseWhen(text)
  if (at === undefined) throw new InvalidArgumentError('Write 10m or 2h from now, or a date as 2026-11-22T08:00Z.')
  return at
}

function fanOutPolicy (text: string): FanOutPolicy {
  if (text === 'all' || text === 'first' || text === 'best-effort') return text
  const [, quorum] = /^quorum:([1-9]\d?)$/.exec(text) ?? []
  if (quorum === undefined) throw new InvalidArgumentError('It must be all, first, best-effort or quorum:N.')
  return { quorum: Number(quorum) }
}

function duration (text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('Write 500ms, 5s, 2m, 1h or 30d.')
  return ms
}
