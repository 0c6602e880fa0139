/** The parts a measured process can play. */
import { echoCaller, echoServer } from './echo.ts'
import type { Actor } from './messages.ts'

export const ACTORS: Record<string, (args: any) => Promise<Actor>> = {
  'echo-server': echoServer,
  'echo-caller': echoCaller
}
