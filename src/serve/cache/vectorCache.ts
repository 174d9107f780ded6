// Keeps vectors on disk, by recipe and content.
import type { AnyInput, EmbedOptions, EmbedResult } from '../../embed/index.ts'
import type { Opened } from '../models/modelTable.ts'

/** Placeholder. */
export interface VectorCache {
  through(
    opened: Opened,
    inputs: readonly AnyInput[],
    options: EmbedOptions,
    embed: (some: readonly AnyInput[]) => Promise<EmbedResult>,
  ): Promise<EmbedResult>
  close(): Promise<void>
}
