/** Bugs that scripts/mutants.ts plants, one at a time. A test holds that each still has its place. */
/** `file`: below src/. The first `from` in it becomes `to`. */
export interface Mutation { bug: string, file: string, from: string, to: string }

export const mutations: readonly Mutation[] = [
  { bug: 'requester: skips the fence', file: 'core/contract.ts', from: 'if (winnerOf(task)?.provider !== provider || epoch !== task.epoch) return fenceOff(task, event)', to: 'if (winnerOf(task) === undefined) return fenceOff(task, event)' },
  { bug: 'requester: does not look at epochs', file: 'core/contract.ts', from: 'if (winnerOf(task)?.provider !== provider || epoch !== task.epoch) return', to: 'if (winnerOf(task)?.provider !== provider) return' },
  { bug: 'requester: awards anew in the same epoch', file: 'core/contract.ts', from: 'const epoch = task.epoch + 1', to: 'const epoch = Math.max(1, task.epoch)' },
  { bug: 'requester: awards to whom it has excluded', file: 'core/contract.ts', from: 'const excluded = onlyLost ? task.excluded : [...task.excluded, winner.provider]', to: 'const { excluded } = task' },
  { bug: 'requester: does not see leases expire', file: 'core/requester.ts', from: 'if (at >= leaseUntil) return move', to: 'if (at < 0) return move' },
  { bug: 'requester: takes bids over the budget', file: 'core/counter.ts', from: 'bid.taken !== true && exceeds(bid.cost, limit)', to: 'false' },
  { bug: 'requester: takes the same part twice', file: 'core/contract.ts', from: 'if (event.sequence <= working.sequence) return same(working)', to: '' },
  { bug: 'requester: does not look at the hash of the output', file: 'negotiate/verdict.ts', from: 'if (receipt.output_hash !== hashOf(content)) return', to: 'if (false) return' },
  { bug: 'requester: does not check the output', file: 'negotiate/verdict.ts', from: 'if (why !== undefined) return bad(why)', to: '' },
  { bug: 'requester: tells what follows the end', file: 'negotiate/requester.ts', from: 'if (entry?.ending === true) return', to: '' },
  { bug: 'requester: bars whoever has a full disk', file: 'negotiate/orders.ts', from: "failure.code === 'OVERLOADED' || failure.code === 'LOG_WRITE_FAILED'", to: 'false' },
  { bug: 'book: acts before the commit', file: 'negotiate/book.ts', from: 'if (writes.length > 0) await written(taskId, writes)', to: 'if (writes.length > 0) written(taskId, writes).catch(() => {})' },
  { bug: 'book: builds on what was not written', file: 'negotiate/book.ts', from: '    } else takeUp(taskId)', to: '    }' },
  { bug: 'book: does not try a refused timer again', file: 'negotiate/book.ts', from: 'if (!closed) timers.set(taskId, clock.after(RETRY_MS', to: 'if (false) timers.set(taskId, clock.after(RETRY_MS' },
  { bug: 'provider: runs the same award again', file: 'core/provider.ts', from: "case 'working': return { task: { ...task, contract, deadlineAt }, effects: [{ type: 'accept', contract }] }", to: "case 'working': return { task: { ...task, contract, deadlineAt }, effects: [{ type: 'accept', contract }, { type: 'run', contract, deadlineAt }] }" },
  { bug: 'provider: forgets the epoch of an award that is over', file: 'core/provider.ts', from: 'if (contract.epoch === current) return', to: 'if (false) return' },
  { bug: 'provider: does not deliver again', file: 'core/provider.ts', from: 'retryAt: at + wait })', to: 'retryAt: task.giveUpAt })' },
  { bug: 'provider: delivers before the commit', file: 'negotiate/provider.ts', from: 'await Promise.all([done, noted])', to: 'for (const effect of effects) if (task !== undefined) perform(taskId, effect, task)\n    await Promise.all([done, noted])' },
  { bug: 'log: acknowledges before the commit', file: 'store/group.ts', from: 'queue.push({ write, resolve, reject })', to: 'queue.push({ write, resolve, reject })\n      resolve(undefined as never)' },
  { bug: 'log: keeps nothing of a patient write that is alone', file: 'store/group.ts', from: 'postponed = { ms: patienceMs, cancel: later(patienceMs, () => { schedule() }) }', to: 'for (const { resolve } of queue.splice(0)) resolve(undefined)' },
  { bug: 'ledger: settles a contract as often as it is asked', file: 'settle/ledger.ts', from: 'if (before?.countersignature !== undefined) {', to: 'if (false && before?.countersignature !== undefined) {' },
  { bug: 'ledger: makes a new receipt each time', file: 'settle/ledger.ts', from: 'if (before !== undefined) return decodeEnvelope(before.statement)', to: '' },
  { bug: 'ledger: agrees to whatever is delivered', file: 'settle/ledger.ts', from: 'countersign(opened, { accepted, previous }', to: 'countersign(opened, { accepted: true, previous }' },
  { bug: 'clock: follows the wall clock', file: 'core/clock.ts', from: 'now: () => Math.floor(origin + monotonic())', to: 'now: wall.now' }
]
