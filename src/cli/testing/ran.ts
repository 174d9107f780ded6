// Runs a command in this process, for tests.
import { commands } from '../cli.ts'
import { parseArguments, type Terminal } from '../command.ts'

/** Standard output of a command. */
export async function ran(name: string, argv: readonly string[], width = 80): Promise<string> {
  let printed = ''
  const terminal: Terminal = {
    out: async (text) => {
      printed += text
    },
    err: () => {},
    interactive: false,
    width,
    signal: new AbortController().signal,
  }
  const command = await commands[name]!()
  await command.run(parseArguments(command, argv), terminal)
  return printed
}
