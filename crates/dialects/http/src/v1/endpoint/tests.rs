use super::*;
use crate::testing::publication;
use antiphon_model::Payload;

fn history(positions: &[u64]) -> History {
    let one =
        |position: &u64| Arc::new(publication(*position, "room", Payload::Text("x".repeat(1000).into())));
    History {
        publications: positions.iter().map(one).collect(),
        position: Position(9),
        gap: false,
        more: false,
    }
}

fn cut_to(positions: &[u64], window: Window, publications: usize) -> (Vec<u64>, Position) {
    let history = history(positions);
    let bytes = history.publications.first().map_or(0, |one| one.memory_bytes());
    let cut = cut(history, window, publications * bytes);
    (cut.publications.iter().map(|one| one.position.0).collect(), cut.position)
}

#[test]
fn a_history_is_cut_where_the_next_question_goes_on() {
    let after = Window::After(Position(1));
    assert_eq!(cut_to(&[], after, 0), (vec![], Position(9)));
    assert_eq!(cut_to(&[2, 3, 4], after, 3), (vec![2, 3, 4], Position(9)));
    assert_eq!(cut_to(&[2, 3, 4], after, 2), (vec![2, 3], Position(3)));
    assert_eq!(cut_to(&[2, 3, 4], after, 0), (vec![2], Position(2)));
    assert_eq!(cut_to(&[], Window::Newest, 0), (vec![], Position(9)));
    assert_eq!(cut_to(&[2, 3, 4], Window::Newest, 2), (vec![3, 4], Position(9)));
    assert_eq!(cut_to(&[2, 3, 4], Window::Newest, 0), (vec![4], Position(9)));
}

#[test]
fn event_names_do_not_concern_presence() {
    assert!(filter(&[]).is_none());
    let filter = filter(&["a".into()]).unwrap();
    let mut one = publication(1, "room", Payload::Text("".into()));
    assert!(!filter(&one));
    one.name = Some("a".into());
    assert!(filter(&one));
    one.name = Some("join".into());
    one.kind = antiphon_model::Kind::Presence;
    assert!(filter(&one));
}
