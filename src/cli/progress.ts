import { formatDuration } from './duration.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100

/** One line on stderr that is drawn over and over. */
export interface ProgressLine extends Disposable {
  show: (text: string) => void
  /** Takes the line away, prints something, and puts it back. */
  aside: (print: () => void) => void
  clear: () => void
}

/** A spinner, what goes on, and for how long. Nothing at all when `live` is false. */
export function progressLine (live: boolean): ProgressLine {
  if (!live) return { show: () => undefined, aside: print => print(), clear: () => undefined, [Symbol.dispose]: () => undefined }
  const begun = performance.now()
  let text = 'joining'
  let frame = 0
  let shown = true
  const draw = (): void => {
    const time = formatDuration(performance.now() - begun)
    const room = Math.max(10, (process.stderr.columns ?? 80) - time.length - 6)
    frame = (frame + 1) % FRAMES.length
    process.stderr.write(`\r\u001b[2K${FRAMES[frame]} ${text.length > room ? `${text.slice(0, room - 1)}…` : text}  ${time}`)
  }
  const wipe = (): void => { process.stderr.write('\r\u001b[2K') }
  const timer = setInterval(() => { if (shown) draw() }, FRAME_MS)
  timer.unref()
  draw()
  const clear = (): void => {
    if (shown) wipe()
    shown = false
  }
  return {
    show: next => {
      text = next
      shown = true
    },
    aside: print => {
      if (shown) wipe()
      print()
    },
    clear,
    [Symbol.dispose]: () => {
      clearInterval(timer)
      clear()
    }
  }
}

/** Like `progressLine`, of several lines and without a spinner: drawn when it is shown. */
export function liveBlock (live: boolean): ProgressLine {
  let lines = 0
  let text = ''
  const wipe = (): void => {
    if (lines > 0) process.stderr.write(`\u001b[${lines}A\r\u001b[0J`)
    lines = 0
  }
  const show = (next: string): void => {
    if (!live) return
    wipe()
    text = next
    const width = process.stderr.columns ?? 80
    const cut = next.split('\n').map(line => line.slice(0, width - 1))
    process.stderr.write(`${cut.join('\n')}\n`)
    lines = cut.length
  }
  return {
    show,
    aside: print => {
      wipe()
      print()
      if (text !== '') show(text)
    },
    clear: wipe,
    [Symbol.dispose]: wipe
  }
}
