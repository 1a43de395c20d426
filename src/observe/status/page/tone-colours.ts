import { type Headline } from '../headline.ts'

/** The colour of the icon in the tab of a browser, by tone. */
export const toneColours: Readonly<Record<Headline['tone'], string>> = {
  good: '1f9d57',
  busy: 'e09a1a',
  bad: 'd6312f',
}
