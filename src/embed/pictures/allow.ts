// Checks of paths and addresses that an embedder may read for a caller whom nobody trusts.
import { realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { is, type OptionType, PipiloError } from '../../base/index.ts'
import type { Allow } from '../types.ts'

/** Type of an {@link Allow}. */
export const allowType: OptionType = is.parts<Allow>({
  paths: is.either(is.flag, is.listOf(is.name)),
  urls: is.flag,
  hosts: is.listOf(is.name),
})

/**
 * The path, where it may be read: links and `..` are followed before it is compared.
 *
 * @throws PipiloError `INPUT_DENIED`
 */
export async function allowedPath(path: string, { paths = true }: Allow = {}): Promise<string> {
  if (paths === true) return path
  const denied = new PipiloError('INPUT_DENIED', 'Files of this path may not be read here.', {
    input: path,
    hint: 'Give the content itself; what may be read is the option allow of the embedder.',
  })
  if (paths === false) throw denied
  const folders = await Promise.all(paths.map((folder) => realpath(folder).catch(() => resolve(folder))))
  // Of what is not there nothing is told but that it may not be read.
  const real = await realpath(path).catch(() => undefined)
  const isInside = (folder: string) =>
    real === folder || real?.startsWith(folder.endsWith(sep) ? folder : folder + sep) === true
  if (real === undefined || !folders.some(isInside)) throw denied
  return real
}

/** @throws PipiloError `INPUT_DENIED` for an address that may not be asked */
export function checkHost({ hostname }: URL, { urls = true, hosts }: Allow = {}): void {
  const isNamed = !hosts || hosts.some((host) => matches(hostname.toLowerCase(), host.toLowerCase()))
  if (urls && isNamed) return
  throw new PipiloError(
    'INPUT_DENIED',
    urls ? `Nothing may be fetched from ${hostname} here.` : 'Nothing may be fetched here.',
    {
      input: hostname,
      hint: 'Give the content itself; what may be fetched is the option allow of the embedder.',
    },
  )
}

/** `*.example.org` are all names below it. */
const matches = (name: string, host: string): boolean =>
  host.startsWith('*.') ? name.endsWith(host.slice(1)) : name === host
