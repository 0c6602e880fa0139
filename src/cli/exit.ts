import type { Failure } from '../core/errors.ts'

/**
 * The exit code of a command that ended with this failure: 1 the task failed; 2 wrong usage; 3 nobody can do it; 4 out of
 * time or budget; 5 refused; 6 no network or node. Scripts depend on it: a code never moves.
 */
export function exitCodeOf (failure: Failure): 1 | 2 | 3 | 4 | 5 | 6 {
  switch (failure.code) {
    case 'BAD_USAGE':
    case 'CAPABILITY_INVALID': return 2
    case 'NO_CAPABLE_AGENT':
    case 'NO_BIDS': return 3
    case 'DEADLINE_EXCEEDED':
    case 'EXPIRED':
    case 'OVER_BUDGET': return 4
    case 'NOT_ALLOWED':
    case 'REFUSED':
    case 'LOOP': return 5
    case 'PEER_UNREACHABLE':
    case 'NO_REPLY':
    case 'LISTEN_FAILED':
    case 'NODE_NOT_RUNNING':
    case 'HOME_IN_USE':
    case 'HOME_UNUSABLE':
    case 'KEY_INVALID':
    case 'LOG_DAMAGED':
    case 'LOG_WRITE_FAILED':
    case 'CONTENT_UNAVAILABLE':
    case 'NO_SPACE': return 6
    default: return 1
  }
}
