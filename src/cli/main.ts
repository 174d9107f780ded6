#!/usr/bin/env node
// Entry of the command `pipilo`.
import { enableCompileCache } from './compileCache.ts'

enableCompileCache()
const { runCli } = await import('./cli.ts')
await runCli(process.argv.slice(2))
