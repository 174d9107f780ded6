// Looks for a card's files on this machine.
import { existsSync } from 'node:fs'
import type { Card } from '../types.ts'
import { isInPackage } from './npm.ts'
import { parseSource } from './sources.ts'

/** See `available` in onDemand.ts. */
export async function available(card: Card): Promise<boolean> {
  const source = parseSource(card.source)
  if (source?.kind === 'npm') return isInPackage(source.specifier)
  return source?.kind === 'file' && existsSync(source.path)
}
