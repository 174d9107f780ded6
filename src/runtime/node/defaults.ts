// Default numbers of workers and threads of a session.
import { availableParallelism } from 'node:os'

/**
 * How many workers and threads a session gets when its options do not say.
 *
 * @example
 * ```ts
 * defaults() // { workers: 2, threads: 1 } on two processors
 * ```
 *
 * @remarks
 * 512 sentences through MiniLM on two processors: 2 × 1 and 1 × 2 are equally fast alone (644 and 632 sentences a second),
 * but beside other programs 2 × 1 keeps more (319 against 189), since its threads never wait for each other
 * (`bench/runtime/workers.ts`). A further worker takes about 130 MB for MiniLM, so there are at most four. With
 * `{ workers: 1, threads: 2 }` a single sentence of 32 tokens takes 2.5 ms instead of 4.4, and memory is less.
 */
export function defaults(): { workers: number; threads: number } {
  const processors = availableParallelism()
  const workers = Math.min(processors, 4)
  return { workers, threads: Math.max(1, Math.floor(processors / workers)) }
}
