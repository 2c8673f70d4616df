package proto

import "encoding/json"

// Words of UserInfo.
const (
	UserSuper    = "Super"   // may do everything
	UserNormal   = "Normal"  // may do what its ACL says
	UserEnabled  = "enable"  // may sign requests
	UserDisabled = "disable" // may not
)

// UserInfo is a user (class UserInfo, since 5.3): the body of ReqAuthCreateUser and ReqAuthUpdateUser, and of the answer to ReqAuthGetUser.
// What is empty was not said.
type UserInfo struct {
	Username string // username
	Password string // password; with it, requests are signed
	Type     string // userType: UserSuper or UserNormal, in any case
	Status   string // userStatus: UserEnabled or UserDisabled, in any case
}

// String names the user and nothing that is secret.
func (u UserInfo) String() string { return "User:" + u.Username + " " + u.Type + " " + u.Status }

// GoString keeps the password out of what %#v prints.
func (u UserInfo) GoString() string { return u.String() }

// Marshal writes the body.
func (u *UserInfo) Marshal() []byte {
	var w writer
	w.user(u)
	return w.text
}

func (w *writer) user(u *UserInfo) {
	w.open('{')
	w.textMember("password", u.Password)
	w.textMember("userStatus", u.Status)
	w.textMember("userType", u.Type)
	w.textMember("username", u.Username)
	w.close('}')
}

// textMember leaves out what is empty, as null is.
func (w *writer) textMember(name, value string) {
	if value != "" {
		w.stringMember(name, value)
	}
}

// UnmarshalJSON reads strict JSON.
func (u *UserInfo) UnmarshalJSON(text []byte) error {
	var in struct {
		Username   looseString `json:"username"`
		Password   looseString `json:"password"`
		UserType   looseString `json:"userType"`
		UserStatus looseString `json:"userStatus"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*u = UserInfo{Username: string(in.Username), Password: string(in.Password), Type: string(in.UserType), Status: string(in.UserStatus)}
	return nil
}

// UnmarshalUserInfo reads the body. The error is ErrBody.
func UnmarshalUserInfo(body []byte) (*UserInfo, error) {
	u := new(UserInfo)
	if err := unmarshal("UserInfo", body, u); err != nil {
		return nil, err
	}
	return u, nil
}

// MarshalUsers writes the body of the answer to ReqAuthListUser.
func MarshalUsers(users []UserInfo) []byte {
	var w writer
	w.open('[')
	for i := range users {
		w.user(&users[i])
	}
	w.close(']')
	return w.text
}

// UnmarshalUsers reads what MarshalUsers writes; no body is an empty list. The error is ErrBody.
func UnmarshalUsers(body []byte) ([]UserInfo, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var users []UserInfo
	if err := unmarshal("list of UserInfo", body, &users); err != nil {
		return nil, err
	}
	return users, nil
}
