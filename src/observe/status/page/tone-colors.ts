import { type Headline } from '../headline.ts'

/** The color of the icon in the tab of a browser, by tone. */
export const toneColors: Readonly<Record<Headline['tone'], string>> = {
  good: '1f9d57',
  busy: 'e09a1a',
  bad: 'd6312f',
}
