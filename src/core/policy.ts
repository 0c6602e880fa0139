/** Our policies of ranking by their names, for the command line, and for a log that outlives the functions of its process. */
import { A2aError } from './errors.ts'
import { rankByCost, rankByKey, rankByTime, rankByValue, type RankingPolicy } from './ranking.ts'

/** `sticky:KEY`: the same provider for the same key. */
export type PolicyName = 'value' | 'cheapest' | 'fastest' | `sticky:${string}`

const POLICIES = new Map<string, RankingPolicy>([['value', rankByValue], ['cheapest', rankByCost], ['fastest', rankByTime]])
const STICKY = 'sticky:'
const MAX_KEY = 256

/** @throws A2aError BAD_USAGE */
export function policyOf (name: string): RankingPolicy {
  const key = stickyKeyOf(name)
  const policy = key === undefined ? POLICIES.get(name) : key === '' || key.length > MAX_KEY ? undefined : rankByKey(key)
  if (policy !== undefined) return policy
  throw new A2aError({ code: 'BAD_USAGE', why: `"${name.slice(0, 64)}" is no policy`, hint: `use value, cheapest, fastest, or sticky:KEY with a key of up to ${MAX_KEY} characters` })
}

/** The name of a policy, as somebody wrote it. @throws A2aError BAD_USAGE */
export function parsePolicy (text: string): PolicyName {
  policyOf(text)
  return text as PolicyName
}

/** The key of a sticky policy. */
export const stickyKeyOf = (name: string | undefined): string | undefined =>
  name?.startsWith(STICKY) === true ? name.slice(STICKY.length) : undefined
