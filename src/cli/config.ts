/** The settings of `a2a-node start`: its config file, with the flags on top. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as z from 'zod/mini'
import english from 'zod/v4/locales/en.js'
import { parseDuration } from './duration.ts'
import { parseCapability } from '../core/capability.ts'
import { A2aError, messageOf } from '../core/errors.ts'

const schemaObject = z.record(z.string(), z.unknown())

const CapabilitySettings = z.strictObject({
  name: z.optional(z.string()),
  description: z.optional(z.string()),
  exec: z.optional(z.string()),
  module: z.optional(z.string()),
  input: z.optional(schemaObject),
  output: z.optional(schemaObject),
  public: z.optional(z.boolean()),
  priceHint: z.optional(z.number().check(z.nonnegative())),
  maxConcurrent: z.optional(z.int().check(z.positive())),
  queue: z.optional(z.int().check(z.nonnegative())),
  bid: z.optional(z.strictObject({
    cost: z.number().check(z.nonnegative()),
    durationMs: z.optional(z.number().check(z.positive())),
    confidence: z.number().check(z.minimum(0), z.maximum(1))
  }))
})

const Settings = z.strictObject({
  name: z.optional(z.string()),
  region: z.optional(z.string()),
  listen: z.optional(z.array(z.string())),
  bootstrap: z.optional(z.array(z.string())),
  mdns: z.optional(z.boolean()),
  keep: z.optional(z.string()),
  capabilities: z.optional(z.array(CapabilitySettings))
})

/** One capability of a config file: done by `exec`, or everything that `module` provides. */
export type CapabilitySettings = z.infer<typeof CapabilitySettings>
export type Settings = z.infer<typeof Settings>

export interface StartOptions {
  config?: string
  name?: string
  region?: string
  capability?: string[]
  exec?: string
  module?: string
  listen?: string[]
  bootstrap?: string[]
  mdns?: boolean
  keep?: number
}

/**
 * The settings that a config file and flags make together. Flags win; capabilities given as flags replace the file's.
 * @throws A2aError BAD_USAGE, CAPABILITY_INVALID
 */
export function settingsOf (options: StartOptions): Omit<Settings, 'keep'> & { keepTasksMs?: number } {
  const { config, name, region, capability, exec, module, listen, bootstrap, mdns, keep } = options
  const file = config === undefined ? {} : readSettings(config)
  if (capability !== undefined && exec === undefined && module === undefined) throw usage('--capability says what the agent can do, but not how', "add --exec 'COMMAND' or --module FILE")
  if (exec !== undefined && capability === undefined) throw usage('--exec says how, but not what the agent can do', 'add --capability NAME')
  for (const given of capability ?? []) parseCapability(given)
  const flagged: CapabilitySettings[] | undefined = module !== undefined ? [{ module }] : capability?.map(given => ({ name: given, exec }))
  return {
    name: name ?? file.name,
    region: region ?? file.region,
    listen: listen ?? file.listen,
    bootstrap: bootstrap ?? file.bootstrap,
    // the flag can only forbid: its absence says nothing
    mdns: mdns === false ? false : file.mdns,
    keepTasksMs: keep ?? keepOf(file.keep),
    capabilities: flagged ?? file.capabilities
  }
}

function keepOf (text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDuration(text)
  if (text !== undefined && ms === undefined) throw usage(`keep is ${text}`, 'write a time as 12h or 30d')
  return ms
}

function readSettings (path: string): Settings {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw usage(`cannot read ${path}: ${messageOf(error)}`)
  }
  z.config(english())
  const parsed = Settings.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
    throw usage(`${path} is no config: ${where}${issue?.message ?? 'it does not fit'}`, 'it may have name, region, listen, bootstrap, mdns, capabilities')
  }
  for (const capability of parsed.data.capabilities ?? []) checkCapability(path, capability)
  return {
    ...parsed.data,
    capabilities: parsed.data.capabilities?.map(entry => entry.module === undefined ? entry : { ...entry, module: resolve(dirname(path), entry.module) })
  }
}

function checkCapability (path: string, { name, exec, module, ...rest }: CapabilitySettings): void {
  if (name !== undefined) parseCapability(name)
  if ((exec === undefined) === (module === undefined)) throw usage(`${path}: capability ${name ?? ''} needs either exec or module`)
  if (exec !== undefined && name === undefined) throw usage(`${path}: a capability that exec does needs a name`)
  const besides = Object.keys(rest)
  if (module !== undefined && besides.length > 0) throw usage(`${path}: ${besides.join(', ')} beside module ${module}`, 'a module says this itself')
}

const usage = (why: string, hint?: string): A2aError => new A2aError({ code: 'BAD_USAGE', why, hint })
