/**
 * An asynchronous function whose module is loaded by its first call: a program that never makes one does not wait for it.
 *
 * @example
 * ```ts
 * export const connect = lazily(async () => (await import('./store.ts')).connect)
 * ```
 *
 * @param load gives the function
 */
export function lazily<F extends (...args: never[]) => Promise<unknown>>(load: () => Promise<F>): F {
  return (async (...args: Parameters<F>) => (await load())(...args)) as F
}
