use std::collections::BTreeMap;

use crate::Api;

/// One metric of a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// `counter`, `gauge`, `histogram` and so on.
    pub kind: String,
    /// What it is.
    pub help: String,
    /// Each sample's whole name, its labels and its value.
    pub samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// A scrape of `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, Family>);

impl Metrics {
    /// Scrapes a server.
    ///
    /// # Panics
    /// What it says is not in Prometheus's text format.
    pub async fn scrape(api: &Api) -> Metrics {
        let answer = api.get("/metrics").send().await.expect(200);
        match parse(&answer.text()) {
            Ok(metrics) => metrics,
            Err(line) => panic!("not in Prometheus's text format: {line:?}"),
        }
    }

    /// Reads what `/metrics` said.
    ///
    /// # Errors
    /// It is not in Prometheus's text format; gives the line.
    pub fn read(text: &str) -> Result<Metrics, String> {
        parse(text)
    }

    /// A metric by its name, without `_total` and the like.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.0.get(name)
    }

    /// The sum of the samples of this whole name, over all labels.
    ///
    /// # Panics
    /// There is no such sample.
    #[track_caller]
    pub fn sum(&self, sample: &str) -> f64 {
        let all = self.0.values().flat_map(|family| &family.samples);
        let values: Vec<f64> = all.filter(|(name, ..)| name == sample).map(|(.., value)| *value).collect();
        assert!(!values.is_empty(), "no {sample} among {:?}", self.0.keys());
        values.iter().sum()
    }

    /// The sample of this whole name with this label; none if there is none.
    pub fn labelled(&self, sample: &str, label: (&str, &str)) -> Option<f64> {
        let all = self.0.values().flat_map(|family| &family.samples);
        let labelled =
            |labels: &BTreeMap<String, String>| labels.get(label.0).is_some_and(|one| one == label.1);
        all.filter(|(name, labels, _)| name == sample && labelled(labels)).map(|(.., value)| *value).next()
    }
}

/// Reads a scrape; every sample has to be of a family that was declared before it.
fn parse(text: &str) -> Result<Metrics, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(what), Some(name), text) =
                (words.next(), words.next(), words.next().unwrap_or_default())
            else {
                return Err(line.to_owned());
            };
            let family = families.entry(name.to_owned()).or_default();
            match what {
                "HELP" => family.help = text.to_owned(),
                "TYPE" => family.kind = text.to_owned(),
                "UNIT" => {}
                _ => return Err(line.to_owned()),
            }
            continue;
        }
        let (name, labels, value) = sample(line).ok_or_else(|| line.to_owned())?;
        let of = |suffix: &&str| name.strip_suffix(*suffix).filter(|base| families.contains_key(*base));
        let base = ["", "_total", "_bucket", "_sum", "_count"].iter().find_map(of);
        let base = base.ok_or_else(|| line.to_owned())?.to_owned();
        let family = families.get_mut(&base).ok_or_else(|| line.to_owned())?;
        family.samples.push((name, labels, value));
    }
    Ok(Metrics(families))
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        return is_name(series).then(|| (series.to_owned(), BTreeMap::new(), value));
    };
    let mut labels = BTreeMap::new();
    for pair in rest.strip_suffix('}')?.split(',').filter(|pair| !pair.is_empty()) {
        let (label, quoted) = pair.split_once('=')?;
        let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
        labels.insert(is_name(label).then(|| label.to_owned())?, text.to_owned());
    }
    is_name(name).then(|| (name.to_owned(), labels, value))
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_:".contains(&byte);
    !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_read() {
        let text = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"+Inf\",p=\"x\"} 2\n\
                    a_seconds_sum 0.5\n# HELP b B.\n# TYPE b counter\nb_total 1\n# EOF\n";
        let metrics = parse(text).unwrap();
        assert_eq!(metrics.family("a_seconds").unwrap().kind, "histogram");
        assert_eq!(metrics.labelled("a_seconds_bucket", ("le", "+Inf")), Some(2.0));
        assert_eq!((metrics.sum("b_total"), metrics.sum("a_seconds_sum")), (1.0, 0.5));
    }

    #[test]
    fn what_is_no_scrape_is_not_read() {
        for text in ["undeclared 1", "# TYPE a gauge\na", "# TYPE a gauge\na one", "# TYPE a gauge\na{b=1} 1"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
