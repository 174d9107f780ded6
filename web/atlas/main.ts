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
window.pipiloAtlas = drawAtlas(document.getElementById('atlas')!, JSON.parse(carried) as PageData)
