// Reads the hub client's settings from the environment.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheHome, expandHome } from '../../../base/files/index.ts'
import { PipiloError } from '../../../base/index.ts'

/**
 * The hub client's settings, from the same environment variables as Python's `huggingface_hub`.
 *
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export interface HubSettings {
  /** `HF_ENDPOINT`, without a slash at the end. Default `https://huggingface.co`. */
  readonly endpoint: string
  /** `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`. */
  readonly cache: string
  /** `HF_TOKEN`, else what the file `HF_TOKEN_PATH` or `$HF_HOME/token` holds. Sent to the endpoint only. */
  readonly token: string | undefined
  /** `HF_HUB_OFFLINE`: nothing is asked of the network. */
  readonly offline: boolean
}

/**
 * Reads the settings anew, so that a program may change its environment.
 *
 * @throws PipiloError `OPTION_INVALID` for an endpoint that is no URL
 */
export async function hubSettings(environment: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const home = environment['HF_HOME']
    ? expandHome(environment['HF_HOME'])
    : join(cacheHome(environment), 'huggingface')
  const cache = environment['HF_HUB_CACHE'] || environment['HUGGINGFACE_HUB_CACHE']
  return {
    endpoint: endpoint(environment['HF_ENDPOINT'] || 'https://huggingface.co'),
    cache: cache ? expandHome(cache) : join(home, 'hub'),
    token: await readToken(environment, home),
    offline: isSet(environment['HF_HUB_OFFLINE']) || isSet(environment['TRANSFORMERS_OFFLINE']),
  }
}

function endpoint(url: string): string {
  if (!/^https?:/.test(url) || !URL.canParse(url)) {
    throw new PipiloError('OPTION_INVALID', `HF_ENDPOINT is not a URL: '${url}'.`, { input: url })
  }
  const { username, password } = new URL(url)
  if (username || password) {
    const without = url.replace(/\/\/[^/?#]*@/, '//')
    throw new PipiloError('OPTION_INVALID', `HF_ENDPOINT has a user or a password in it: '${without}'.`, {
      input: without,
      hint: 'Set HF_TOKEN for the hub.',
    })
  }
  return url.replace(/(?<!\/)\/+$/, '')
}

async function readToken(environment: NodeJS.ProcessEnv, home: string): Promise<string | undefined> {
  if (isSet(environment['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined
  const direct = environment['HF_TOKEN'] || environment['HUGGING_FACE_HUB_TOKEN']
  if (direct) return direct.trim() || undefined
  const path = environment['HF_TOKEN_PATH'] ? expandHome(environment['HF_TOKEN_PATH']) : join(home, 'token')
  // Most people have no token, so a file that cannot be read is one that is not there.
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.trim() || undefined
}

function isSet(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '')
}
