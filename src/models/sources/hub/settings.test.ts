import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hubSettings } from './settings.ts'

const home = homedir()

describe('hubSettings', () => {
  it.each([
    [{}, join(home, '.cache', 'huggingface', 'hub')],
    [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/xdg', HF_HOME: '~/hf' }, join(home, 'hf', 'hub')],
    [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old' }, '/old'],
    [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new'],
  ])('puts the cache where the Python client does: %o', async (environment, cache) => {
    expect((await hubSettings(environment)).cache).toBe(cache)
  })

  it('takes endpoint, token and offline mode', async () => {
    expect(
      await hubSettings({ HF_ENDPOINT: 'https://mirror/', HF_TOKEN: ' t ', HF_HUB_OFFLINE: 'yes' }),
    ).toMatchObject({
      endpoint: 'https://mirror',
      token: 't',
      offline: true,
    })
    expect(await hubSettings({ HF_HOME: '/none', HF_HUB_OFFLINE: '0' })).toMatchObject({
      endpoint: 'https://huggingface.co',
      token: undefined,
      offline: false,
    })
    expect((await hubSettings({ HF_TOKEN: 't', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).token).toBeUndefined()
  })
})

describe('an endpoint', () => {
  it('has to be a URL', async () => {
    await expect(hubSettings({ HF_ENDPOINT: 'huggingface.co' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})
