use super::*;

#[test]
fn a_bucket_with_rules_of_others_alone_is_not_remembered_as_one_without_rules() {
    let plan = json!({"name": "b", "versioning": true, "lifecycle": [{"id": "ours"}], "cors": [{"methods": ["PUT"]}]});
    let there = json!({"name": "b", "versioning": false, "lifecycle": [], "cors": []});
    let recorded = spoken_of(Kind::Bucket, "", &plan, &there);
    assert_eq!(recorded, json!({"name": "b", "versioning": false}));
    let former = json!({"name": "b", "lifecycle": [{"id": "ours", "expire_days": 3}]});
    assert_eq!(spoken_of(Kind::Bucket, "", &plan, &former), former, "a rule of the same name comes back");
    let none = json!({"name": "b", "lifecycle": []});
    assert_eq!(spoken_of(Kind::Bucket, "", &none, &none), none, "the plan states that there is none");
}
