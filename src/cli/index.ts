// Door of cli/: the command line.
export { runCli } from './cli.ts'
