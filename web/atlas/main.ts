// Start of a page that carries its map: reads it and draws it.
import type { PageData } from '../../src/atlas/page/index.ts'
import { type Atlas, drawAtlas } from './atlas.ts'

declare global {
  interface Window {
    /** For whoever looks into the page. */
    pipiloAtlas?: Atlas
  }
}

const carried = document.getElementById('atlas-data')!.textContent
const data = JSON.parse(carried) as PageData
const atlas = drawAtlas(document.getElementById('atlas')!, data)
window.pipiloAtlas = atlas

/** Milliseconds after which a page that is written anew is loaded again. */
const AGAIN = 5000

if (data.following) {
  setInterval(() => {
    if (atlas.isUntouched && document.visibilityState === 'visible') location.reload()
  }, AGAIN)
}
