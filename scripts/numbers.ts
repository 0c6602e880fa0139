/** Numbers out of the command line of a script. */

/** The number an option was given, of at least 0. Ends the process with 2, and says which option it is, when that is none. */
export function numberOf (option: string, text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && number >= 0) return number
  process.stderr.write(`--${option} takes a number of at least 0, and not "${text}"\n`)
  process.exit(2)
}
