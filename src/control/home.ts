/** Where a node keeps what lasts (its home), and where its control socket lies. Only `node:` builtins. */
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { A2aError, messageOf } from '../core/errors.ts'

/** What a running node leaves in its home, so that clients find its socket whatever their own environment says. */
export interface NodeRecord {
  pid: number
  socket: string
  peerId: string
  /** Milliseconds since the epoch. */
  startedAt: number
  version: string
}

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, with the final zero. */
const MAX_SOCKET_PATH = 100

/** The home to use: what was asked for, else `A2A_HOME`, else the platform's folder for state. Always absolute; need not exist. */
export function homeOf (asked?: string, env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  const given = asked ?? env['A2A_HOME']
  if (given !== undefined && given !== '') return resolve(given)
  const user = env['HOME'] ?? homedir()
  if (platform === 'darwin') return join(user, 'Library', 'Application Support', 'a2a-node')
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(user, 'AppData', 'Local'), 'a2a-node')
  // the XDG specification: a relative path in this variable is to be ignored
  const state = env['XDG_STATE_HOME']
  return join(state !== undefined && state.startsWith('/') ? state : join(user, '.local', 'state'), 'a2a-node')
}

/**
 * The folder for sockets: `$XDG_RUNTIME_DIR/a2a-node`, or `a2a-node-<uid>` in the temporary folder. Made when it is
 * missing, with access for its owner alone.
 * @throws A2aError HOME_UNUSABLE when it belongs to somebody else, or others can get in
 */
export function runtimeDir (env: NodeJS.ProcessEnv = process.env): string {
  const own = `a2a-node-${userInfo().uid}`
  const candidates = [join(tmpdir(), own), join('/tmp', own)].filter(fits)
  const xdg = env['XDG_RUNTIME_DIR']
  if (xdg !== undefined && xdg.startsWith('/')) {
    const dir = join(xdg, 'a2a-node')
    // a session's folder may be gone or read-only (sudo, containers): then the temporary folder will do
    if (fits(dir) && make(dir) === undefined) return checked(dir)
  }
  let why = 'no temporary folder has a path short enough for a socket'
  for (const dir of candidates) {
    const failed = make(dir)
    if (failed === undefined) return checked(dir)
    why = failed
  }
  throw new A2aError({ code: 'HOME_UNUSABLE', home: candidates[0] ?? tmpdir(), why })
}

/** The control socket of a home: short whatever the home's path, and the same for every spelling of it. The home must exist. */
export function socketPathOf (home: string, env: NodeJS.ProcessEnv = process.env): string {
  const name = createHash('sha256').update(realpathSync(home)).digest('hex').slice(0, 16)
  return process.platform === 'win32' ? `\\\\.\\pipe\\a2a-node-${name}` : join(runtimeDir(env), `${name}.sock`)
}

/** The record of the node that runs, or ran, with this home. `undefined` when there is none or it cannot be understood. */
export function readNodeRecord (home: string): NodeRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(home, 'node.json'), 'utf8')) as NodeRecord
    return typeof record.socket === 'string' && typeof record.pid === 'number' ? record : undefined
  } catch {
    return undefined
  }
}

/** Written aside and renamed, so that a reader never sees half of it. */
export function writeNodeRecord (home: string, record: NodeRecord): void {
  const file = join(home, 'node.json')
  const aside = `${file}.${record.pid}`
  writeFileSync(aside, `${JSON.stringify(record)}\n`, { mode: 0o600 })
  renameSync(aside, file)
}

/** Removes the record, if it is still this process's. */
export function removeNodeRecord (home: string): void {
  if (readNodeRecord(home)?.pid === process.pid) rmSync(join(home, 'node.json'), { force: true })
}

const fits = (dir: string): boolean => Buffer.byteLength(join(dir, '0123456789abcdef.sock')) <= MAX_SOCKET_PATH

/** Makes the folder; says why when that fails. */
function make (dir: string): string | undefined {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Who else could write here could put a socket of his own in our place. */
function checked (dir: string): string {
  const found = lstatSync(dir)
  const uid = userInfo().uid
  if (!found.isDirectory()) throw new A2aError({ code: 'HOME_UNUSABLE', home: dir, why: 'it is not a folder' })
  if (uid !== -1 && found.uid !== uid) throw new A2aError({ code: 'HOME_UNUSABLE', home: dir, why: `it belongs to user ${found.uid}, not to ${uid}` })
  if (uid !== -1 && (found.mode & 0o077) !== 0) chmodSync(dir, 0o700)
  return dir
}
