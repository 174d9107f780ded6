// The identity of a file as it stands on disk, without reading it.
import type { BigIntStats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'

/**
 * A file's place (behind symbolic links), size and times. It is another one once the file has been replaced or written to, even
 * by as many bytes and with its time of modification set back: the time of its last change (ctime) is the system's own. It may
 * also be another one without that, after `chmod` or a move, which costs no more than making anew what was made of the file.
 *
 * @example
 * ```ts
 * const before = await fileIdentity('model.safetensors')   // '/models/model.safetensors 90868376 66306:1835021 1764… 1764…'
 * ```
 *
 * @remarks
 * Clocks of file systems tick: two changes in one tick leave the same times. So a file that changed just now is looked at again
 * when the tick is over, 20 ms later, or 2 s where times are whole seconds.
 *
 * @throws the system's own error when there is no such file
 */
export async function fileIdentity(path: string): Promise<string> {
  // Links of several snapshots lead to one file, of which everything is made once.
  const place = await realpath(path)
  for (;;) {
    const status = await stat(place, { bigint: true })
    const rest = settling(status, Date.now())
    if (rest <= 0) {
      const { dev, ino, size, mtimeNs, ctimeNs } = status
      return `${place} ${size} ${dev}:${ino} ${mtimeNs} ${ctimeNs}`
    }
    await setTimeout(rest)
  }
}

// Linux stamps files by a clock of 1 to 10 ms, Windows and macOS by finer ones; FAT and network drives know whole seconds.
const TICK = 20
const COARSE_TICK = 2000
const SECOND = 1_000_000_000n

/** Milliseconds until a further change of the file would show in its times. */
function settling({ mtimeNs, ctimeNs }: Pick<BigIntStats, 'mtimeNs' | 'ctimeNs'>, now: number): number {
  const tick = ctimeNs % SECOND === 0n && mtimeNs % SECOND === 0n ? COARSE_TICK : TICK
  const age = now - Number(ctimeNs / 1_000_000n)
  // A change that lies ahead was stamped by another clock, or before this one was set back: waiting would not help.
  return age < -tick ? 0 : tick - age
}
