/** `npm run swarm -- --agents 60 --for 60s`: the command `a2a-node swarm`, from the sources. */
import { main } from '../src/cli/program.ts'

await main(['swarm', ...process.argv.slice(2)])
